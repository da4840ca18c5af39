<?php
// Runs the scenario with a client of PHP; see the module `driver` of the tests.
//
// Called with `mysqli` or `pdo`. Reads a step a line, its fields between tabs, and answers each
// with one line.

class Unsupported extends Exception {}

/** A parameter as it is written in the scenario. */
function value(string $text)
{
    if ($text === 'NULL') return null;
    if (preg_match('/^-?\d+$/', $text)) return (int) $text;
    if (preg_match('/^-?\d+\.\d+$/', $text)) return (float) $text;
    if (str_starts_with($text, '0x')) return hex2bin(substr($text, 2));
    if (str_starts_with($text, '~')) return str_repeat('y', (int) substr($text, 1));
    return $text;
}

/** A field's value as it is compared. */
function show($item): string
{
    if ($item === null) return 'NULL';
    $text = (string) $item;
    if (!preg_match('//u', $text) || str_contains($text, "\0")) $text = '0x' . bin2hex($text);
    if (strlen($text) > 200) return strlen($text) . ' bytes';
    return strtr($text, ["\\" => "\\\\", "\n" => "\\n", "\t" => "\\t"]);
}

function rows_of(array $names, array $rows): string
{
    $shown = array_map(fn($row) => '(' . implode(', ', array_map('show', $row)) . ')', $rows);
    return '[' . implode(',', $names) . '] ' . implode(' ', $shown);
}

class ByMysqli
{
    private $prepared;

    function open(array $options)
    {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $db = mysqli_init();
        $db->options(MYSQLI_OPT_LOCAL_INFILE, 1);
        $flags = 0;
        if (isset($options['compress'])) $flags |= MYSQLI_CLIENT_COMPRESS;
        if (isset($options['tls'])) {
            $db->ssl_set(null, null, getenv('DB_CA'), null, null);
            $flags |= MYSQLI_CLIENT_SSL;
        }
        $db->real_connect(
            getenv('DB_HOST'),
            $options['user'] ?? getenv('DB_USER'),
            $options['password'] ?? getenv('DB_PASSWORD'),
            $options['database'] ?? getenv('DB_NAME'),
            (int) getenv(isset($options['tls']) ? 'DB_TLS_PORT' : 'DB_PORT'),
            null,
            $flags
        );
        $db->set_charset($options['encoding'] ?? 'utf8mb4');
        return $db;
    }

    function close($db)
    {
        $this->prepared = null;
        $db->close();
    }

    function query($db, $sql)
    {
        $db->multi_query($sql);
        $results = [];
        do {
            $result = $db->store_result();
            $results[] = $result ? $this->rows($result)
                : "ok $db->affected_rows $db->insert_id $db->warning_count";
        } while ($db->more_results() && $db->next_result());
        return implode(' // ', $results);
    }

    private function rows($result)
    {
        $names = array_map(fn($field) => $field->name, $result->fetch_fields());
        return rows_of($names, $result->fetch_all(MYSQLI_NUM));
    }

    function execute($db, $sql, $parameters)
    {
        $this->prepared = $db->prepare($sql);
        return $this->again($db, $parameters);
    }

    function again($db, $parameters)
    {
        $types = '';
        foreach ($parameters as $parameter) {
            $types .= is_int($parameter) ? 'i' : (is_float($parameter) ? 'd' : 's');
        }
        $this->prepared->bind_param($types, ...$parameters);
        $this->prepared->execute();
        $result = $this->prepared->get_result();
        return $result ? $this->rows($result)
            : "ok {$this->prepared->affected_rows} {$this->prepared->insert_id}";
    }

    function batch($db, $sql, $rows)
    {
        $statement = $db->prepare($sql);
        $changed = 0;
        foreach ($rows as $row) {
            $statement->execute($row);
            $changed += $statement->affected_rows;
        }
        return "ok $changed";
    }

    function stream($db, $sql)
    {
        $result = $db->query($sql, MYSQLI_USE_RESULT);
        $count = $length = 0;
        while ($row = $result->fetch_row()) {
            $count += 1;
            $length += strlen($row[0]);
        }
        $result->free();
        return "$count rows, $length bytes";
    }

    function cursor($db, $sql, $size)
    {
        $statement = $db->prepare($sql);
        $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
        $statement->attr_set(MYSQLI_STMT_ATTR_PREFETCH_ROWS, 1);
        $statement->execute();
        $statement->bind_result($first);
        $count = $sum = 0;
        while ($statement->fetch()) {
            $count += 1;
            $sum += $first;
        }
        $statement->close();
        return "$count rows, sum $sum";
    }

    function call($db, $name, $parameters)
    {
        return $this->query($db, "CALL $name(" . implode(', ', $parameters) . ')');
    }

    function change($db, $user, $password)
    {
        $db->change_user($user, $password, getenv('DB_NAME'));
    }

    function reset($db)
    {
        throw new Unsupported();
    }

    function ping($db)
    {
        $db->stat();
    }

    function database($db, $name)
    {
        $db->select_db($name);
    }

    function charset($db, $name)
    {
        $db->set_charset($name);
    }

    function autocommit($db, $on)
    {
        $db->autocommit($on);
    }

    function begin($db)
    {
        $db->begin_transaction();
    }

    function commit($db)
    {
        $db->commit();
    }

    function rollback($db)
    {
        $db->rollback();
    }
}

class ByPdo
{
    private $prepared;

    function open(array $options)
    {
        $source = sprintf(
            'mysql:host=%s;port=%s;dbname=%s;charset=%s',
            getenv('DB_HOST'),
            getenv(isset($options['tls']) ? 'DB_TLS_PORT' : 'DB_PORT'),
            $options['database'] ?? getenv('DB_NAME'),
            $options['encoding'] ?? 'utf8mb4'
        );
        $settings = [
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_EMULATE_PREPARES => false,
            PDO::MYSQL_ATTR_LOCAL_INFILE => true,
        ];
        if (isset($options['compress'])) $settings[PDO::MYSQL_ATTR_COMPRESS] = true;
        if (isset($options['tls'])) $settings[PDO::MYSQL_ATTR_SSL_CA] = getenv('DB_CA');
        return new PDO(
            $source,
            $options['user'] ?? getenv('DB_USER'),
            $options['password'] ?? getenv('DB_PASSWORD'),
            $settings
        );
    }

    function close($db)
    {
        $this->prepared = null;
    }

    function query($db, $sql)
    {
        // Only what is not prepared may hold several statements.
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
        try {
            $statement = $db->query($sql);
            $results = [];
            do {
                $results[] = $this->result($statement);
            } while ($statement->nextRowset());
        } finally {
            $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
        }
        return implode(' // ', $results);
    }

    private function result($statement)
    {
        $count = $statement->columnCount();
        if ($count === 0) return 'ok ' . $statement->rowCount();
        $name = fn($index) => $statement->getColumnMeta($index)['name'];
        return rows_of(array_map($name, range(0, $count - 1)), $statement->fetchAll(PDO::FETCH_NUM));
    }

    function execute($db, $sql, $parameters)
    {
        $this->prepared = $db->prepare($sql);
        return $this->again($db, $parameters);
    }

    function again($db, $parameters)
    {
        foreach ($parameters as $index => $parameter) {
            $type = is_int($parameter) ? PDO::PARAM_INT : PDO::PARAM_STR;
            $this->prepared->bindValue($index + 1, $parameter, $parameter === null ? PDO::PARAM_NULL : $type);
        }
        $this->prepared->execute();
        $answer = $this->result($this->prepared);
        $this->prepared->closeCursor();
        return $answer;
    }

    function batch($db, $sql, $rows)
    {
        $statement = $db->prepare($sql);
        $changed = 0;
        foreach ($rows as $row) {
            $statement->execute($row);
            $changed += $statement->rowCount();
        }
        return "ok $changed";
    }

    function stream($db, $sql)
    {
        $db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
        $result = $db->query($sql);
        $count = $length = 0;
        while ($row = $result->fetch(PDO::FETCH_NUM)) {
            $count += 1;
            $length += strlen($row[0]);
        }
        $result->closeCursor();
        $db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, true);
        return "$count rows, $length bytes";
    }

    function cursor($db, $sql, $size)
    {
        throw new Unsupported();
    }

    function call($db, $name, $parameters)
    {
        return $this->query($db, "CALL $name(" . implode(', ', $parameters) . ')');
    }

    function change($db, $user, $password)
    {
        throw new Unsupported();
    }

    function reset($db)
    {
        throw new Unsupported();
    }

    function ping($db)
    {
        $db->getAttribute(PDO::ATTR_SERVER_INFO);
    }

    function database($db, $name)
    {
        throw new Unsupported();
    }

    function charset($db, $name)
    {
        throw new Unsupported();
    }

    function autocommit($db, $on)
    {
        $db->setAttribute(PDO::ATTR_AUTOCOMMIT, $on);
    }

    function begin($db)
    {
        $db->beginTransaction();
    }

    function commit($db)
    {
        $db->inTransaction() ? $db->commit() : $db->query('COMMIT');
    }

    function rollback($db)
    {
        $db->inTransaction() ? $db->rollBack() : $db->query('ROLLBACK');
    }
}

class Runner
{
    private $adapter;
    private $connections = [];
    private $current;

    function __construct($adapter)
    {
        $this->adapter = $adapter;
    }

    function step(string $verb, array $fields)
    {
        $adapter = $this->adapter;
        switch ($verb) {
            case 'open':
                $name = array_shift($fields);
                $options = [];
                foreach ($fields as $field) {
                    [$key, $value] = explode('=', $field . '=');
                    $options[$key] = $value;
                }
                $this->current = $this->connections[$name] = $adapter->open($options);
                return 'ok';
            case 'on':
                $this->current = $this->connections[$fields[0]];
                return 'ok';
            case 'close':
                $adapter->close($this->connections[$fields[0]]);
                unset($this->connections[$fields[0]]);
                $this->current = null;
                return 'ok';
            case 'execute':
                $sql = array_shift($fields);
                return $adapter->execute($this->current, $sql, array_map('value', $fields));
            case 'again':
                return $adapter->again($this->current, array_map('value', $fields));
            case 'batch':
                $sql = array_shift($fields);
                $row = fn($field) => array_map('value', explode(';', $field));
                return $adapter->batch($this->current, $sql, array_map($row, $fields));
            case 'call':
                $name = array_shift($fields);
                return $adapter->call($this->current, $name, array_map('value', $fields));
            case 'autocommit':
                $adapter->autocommit($this->current, $fields[0] === 'on');
                return 'ok';
            default:
                return $adapter->$verb($this->current, ...$fields) ?? 'ok';
        }
    }
}

error_reporting(E_ALL & ~E_WARNING);
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '256M');
$runner = new Runner($argv[1] === 'mysqli' ? new ByMysqli() : new ByPdo());
while (($line = fgets(STDIN)) !== false) {
    $fields = explode("\t", rtrim($line, "\n"));
    try {
        $answer = $runner->step(array_shift($fields), $fields);
    } catch (Unsupported $error) {
        $answer = 'unsupported';
    } catch (Throwable $error) {
        $answer = preg_replace('/\s+/', ' ', "error {$error->getCode()} {$error->getMessage()}");
    }
    echo $answer, "\n";
    flush();
}
