"""Runs the scenario with a client of Python's DB-API; see the module `driver` of the tests.

Called with the client's module. Reads a step a line, its fields between tabs, and answers each
with one line.
"""

import importlib
import os
import re
import sys
import warnings

ENV = os.environ
MODULE = sys.argv[1]
warnings.simplefilter("ignore")
client = importlib.import_module(MODULE)


class Unsupported(Exception):
    pass


def value(text):
    """A parameter as it is written in the scenario."""
    if text == "NULL":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text)
    if text.startswith("0x"):
        return bytes.fromhex(text[2:])
    if text.startswith("~"):
        return "y" * int(text[1:])
    return text


def show(item):
    """A field's value as it is compared."""
    if item is None:
        return "NULL"
    if isinstance(item, (bytes, bytearray, memoryview)):
        item = "0x" + bytes(item).hex()
    if isinstance(item, set):
        item = sorted(item)
    text = item if isinstance(item, str) else str(item)
    if len(text) > 200:
        return "%d characters" % len(text)
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def port(options):
    return int(ENV["DB_TLS_PORT" if "tls" in options else "DB_PORT"])


def rows_of(cursor):
    if not cursor.description:
        return "ok %s" % cursor.rowcount
    names = ",".join(column[0] for column in cursor.description)
    rows = ["(%s)" % ", ".join(map(show, row)) for row in cursor.fetchall()]
    return "[%s] %s" % (names, " ".join(rows))


def markers(sql):
    """The client's own sign for a parameter in place of the scenario's."""
    if client.paramstyle == "qmark":
        return sql
    return sql.replace("%", "%%").replace("?", "%s")


class PyMySql:
    """PyMySQL, which MySQLdb's interface is the model of."""

    def open(self, options):
        keywords = dict(
            host=ENV["DB_HOST"],
            port=port(options),
            user=options.get("user", ENV["DB_USER"]),
            password=options.get("password", ENV["DB_PASSWORD"]),
            database=options.get("database", ENV["DB_NAME"]),
            charset=options.get("encoding", "utf8mb4"),
            local_infile=True,
        )
        keywords.update(self.more(options))
        return client.connect(**keywords)

    def more(self, options):
        from pymysql.constants import CLIENT

        more = {"client_flag": CLIENT.MULTI_STATEMENTS}
        if "compress" in options:
            raise Unsupported
        if "tls" in options:
            more["ssl"] = {"ca": ENV["DB_CA"]}
        return more

    def query(self, connection, sql):
        cursor = connection.cursor()
        cursor.execute(sql)
        results = [rows_of(cursor)]
        while self.next(cursor):
            results.append(rows_of(cursor))
        cursor.close()
        return " // ".join(results)

    def next(self, cursor):
        return cursor.nextset()

    def execute(self, connection, sql, parameters):
        cursor = connection.cursor()
        cursor.execute(markers(sql), parameters)
        answer = rows_of(cursor)
        cursor.close()
        return answer

    again = execute

    def batch(self, connection, sql, rows):
        cursor = connection.cursor()
        cursor.executemany(markers(sql), rows)
        answer = "ok %s" % cursor.rowcount
        cursor.close()
        return answer

    def stream(self, connection, sql):
        cursor = self.streaming(connection)
        cursor.execute(sql)
        count, length = 0, 0
        for row in cursor:
            count += 1
            length += len(str(row[0]))
        cursor.close()
        return "%d rows, %d characters" % (count, length)

    def streaming(self, connection):
        return connection.cursor(importlib.import_module(MODULE + ".cursors").SSCursor)

    def cursor(self, connection, sql, size):
        raise Unsupported

    def call(self, connection, name, parameters):
        cursor = connection.cursor()
        cursor.callproc(name, parameters)
        results = [rows_of(cursor)]
        while cursor.nextset():
            results.append(rows_of(cursor))
        cursor.close()
        return " // ".join(results)

    def change(self, connection, user, password):
        raise Unsupported

    def reset(self, connection):
        raise Unsupported

    def ping(self, connection):
        connection.ping(reconnect=False)

    def database(self, connection, name):
        connection.select_db(name)

    def charset(self, connection, name):
        connection.set_charset(name)

    def autocommit(self, connection, on):
        connection.autocommit(on)

    def begin(self, connection):
        connection.begin()

    def code(self, error):
        return error.args[0] if error.args else "none"


class MySqlDb(PyMySql):
    """mysqlclient."""

    def more(self, options):
        from MySQLdb.constants import CLIENT

        more = {"client_flag": CLIENT.MULTI_STATEMENTS}
        if "compress" in options:
            more["compress"] = True
        if "tls" in options:
            more["ssl"] = {"ca": ENV["DB_CA"]}
        return more

    def ping(self, connection):
        connection.ping()

    def change(self, connection, user, password):
        connection.change_user(user, password, ENV["DB_NAME"])

    def charset(self, connection, name):
        connection.set_character_set(name)


class Connector(PyMySql):
    """mysql-connector-python, without its part in C."""

    def open(self, options):
        keywords = dict(
            host=ENV["DB_HOST"],
            port=port(options),
            user=options.get("user", ENV["DB_USER"]),
            password=options.get("password", ENV["DB_PASSWORD"]),
            database=options.get("database", ENV["DB_NAME"]),
            charset=options.get("encoding", "utf8mb4"),
            collation=None if "encoding" in options else "utf8mb4_general_ci",
            allow_local_infile=True,
            autocommit=None,
            use_pure=True,
        )
        if "compress" in options:
            keywords["compress"] = True
        if "tls" in options:
            keywords["ssl_ca"] = ENV["DB_CA"]
            keywords["ssl_verify_cert"] = True
        else:
            keywords["ssl_disabled"] = True
        return client.connect(**{k: v for k, v in keywords.items() if v is not None})

    def query(self, connection, sql):
        # Only the one way knows files, and only the other several results.
        if sql.startswith("LOAD DATA"):
            return PyMySql.execute(self, connection, sql, None)
        results = []
        for result in connection.cmd_query_iter(sql):
            if "columns" in result:
                names = ",".join(column[0] for column in result["columns"])
                rows, _ = connection.get_rows()
                shown = ["(%s)" % ", ".join(map(show, row)) for row in rows]
                results.append("[%s] %s" % (names, " ".join(shown)))
            else:
                results.append("ok %s" % result.get("affected_rows"))
        return " // ".join(results)

    prepared = None

    def execute(self, connection, sql, parameters):
        self.close_prepared()
        self.prepared = connection.cursor(prepared=True)
        self.sql = sql
        return self.again(connection, sql, parameters)

    def again(self, connection, sql, parameters):
        self.prepared.execute(sql, parameters)
        return rows_of(self.prepared)

    def close_prepared(self):
        if self.prepared is not None:
            self.prepared.close()
            self.prepared = None

    def streaming(self, connection):
        return connection.cursor(buffered=False)

    def call(self, connection, name, parameters):
        cursor = connection.cursor()
        cursor.callproc(name, parameters)
        results = [rows_of(result) for result in cursor.stored_results()]
        cursor.close()
        return " // ".join(results)

    def change(self, connection, user, password):
        connection.cmd_change_user(username=user, password=password, database=ENV["DB_NAME"])

    def reset(self, connection):
        connection.cmd_reset_connection()

    def ping(self, connection):
        connection.ping(reconnect=False)

    def database(self, connection, name):
        connection.cmd_init_db(name)

    def charset(self, connection, name):
        connection.set_charset_collation(name)

    def autocommit(self, connection, on):
        connection.autocommit = on

    def begin(self, connection):
        connection.start_transaction()

    def code(self, error):
        return getattr(error, "errno", None) or "none"


class MariaDb(PyMySql):
    """MariaDB's own, over its library in C."""

    def more(self, options):
        return {}

    def open(self, options):
        if "encoding" in options:
            raise Unsupported
        keywords = dict(
            host=ENV["DB_HOST"],
            port=port(options),
            user=options.get("user", ENV["DB_USER"]),
            password=options.get("password", ENV["DB_PASSWORD"]),
            database=options.get("database", ENV["DB_NAME"]),
            local_infile=True,
            client_flag=65536,
        )
        if "compress" in options:
            keywords["compress"] = True
        if "tls" in options:
            keywords.update(ssl_ca=ENV["DB_CA"], ssl_verify_cert=True)
        return client.connect(**keywords)

    prepared = None

    def execute(self, connection, sql, parameters):
        if self.prepared is not None:
            self.prepared.close()
        self.prepared = connection.cursor(prepared=True)
        return self.again(connection, sql, parameters)

    def again(self, connection, sql, parameters):
        self.prepared.execute(sql, parameters)
        return rows_of(self.prepared)

    def streaming(self, connection):
        return connection.cursor(buffered=False)

    def cursor(self, connection, sql, size):
        cursor = connection.cursor(
            cursor_type=client.constants.CURSOR.READ_ONLY, prefetch_size=size, buffered=False
        )
        cursor.execute(sql, ())
        count = sum(1 for _ in cursor)
        cursor.close()
        return "%d rows" % count

    def change(self, connection, user, password):
        connection.change_user(user, password, ENV["DB_NAME"])

    def reset(self, connection):
        connection.reset()

    def ping(self, connection):
        connection.ping()

    def charset(self, connection, name):
        raise Unsupported

    def database(self, connection, name):
        connection.select_db(name)

    def autocommit(self, connection, on):
        connection.autocommit = on

    def code(self, error):
        return getattr(error, "errno", None) or "none"


class Odbc(PyMySql):
    """MariaDB Connector/ODBC by way of pyodbc."""

    def open(self, options):
        if "compress" in options:
            raise Unsupported
        parts = {
            "DRIVER": "MariaDB Unicode",
            "SERVER": ENV["DB_HOST"],
            "PORT": str(port(options)),
            "UID": options.get("user", ENV["DB_USER"]),
            "PWD": options.get("password", ENV["DB_PASSWORD"]),
            "DATABASE": options.get("database", ENV["DB_NAME"]),
            "CHARSET": options.get("encoding", "utf8mb4"),
            # Several statements in one text.
            "OPTION": str(1 << 26),
        }
        if "tls" in options:
            parts.update(SSLCA=ENV["DB_CA"], SSLVERIFY="1")
        text = ";".join("%s=%s" % part for part in parts.items())
        return client.connect(text, autocommit=True)

    def stream(self, connection, sql):
        return super().stream(connection, sql)

    def streaming(self, connection):
        return connection.cursor()

    prepared = None

    def execute(self, connection, sql, parameters):
        if self.prepared is not None:
            self.prepared.close()
        self.prepared = connection.cursor()
        return self.again(connection, sql, parameters)

    def again(self, connection, sql, parameters):
        self.prepared.execute(sql, parameters)
        return rows_of(self.prepared)

    def call(self, connection, name, parameters):
        cursor = connection.cursor()
        marks = ", ".join("?" * len(parameters))
        cursor.execute("{CALL %s(%s)}" % (name, marks), parameters)
        results = [rows_of(cursor)]
        while cursor.nextset():
            results.append(rows_of(cursor))
        cursor.close()
        return " // ".join(results)

    def ping(self, connection):
        raise Unsupported

    def database(self, connection, name):
        raise Unsupported

    def charset(self, connection, name):
        raise Unsupported

    def autocommit(self, connection, on):
        connection.autocommit = on

    def begin(self, connection):
        connection.autocommit = False

    def code(self, error):
        found = re.search(r"\] (.*?) \((\d+)\)", str(error))
        return found.group(2) if found else "none"


ADAPTERS = {
    "pymysql": PyMySql,
    "MySQLdb": MySqlDb,
    "mysql.connector": Connector,
    "mariadb": MariaDb,
    "pyodbc": Odbc,
}


class Runner:
    def __init__(self):
        self.adapter = ADAPTERS[MODULE]()
        self.connections = {}
        self.current = None
        self.sql = None

    def step(self, verb, fields):
        return getattr(self, "do_" + verb)(*fields) or "ok"

    def do_open(self, name, *options):
        pairs = dict((option + "=").split("=")[:2] for option in options)
        self.connections[name] = self.adapter.open(pairs)
        self.current = self.connections[name]
        self.adapter.autocommit(self.current, True)

    def do_on(self, name):
        self.current = self.connections[name]

    def do_close(self, name):
        self.connections.pop(name).close()

    def do_query(self, sql):
        return self.adapter.query(self.current, sql)

    def do_execute(self, sql, *parameters):
        self.sql = sql
        return self.adapter.execute(self.current, sql, tuple(map(value, parameters)))

    def do_again(self, *parameters):
        return self.adapter.again(self.current, self.sql, tuple(map(value, parameters)))

    def do_batch(self, sql, *rows):
        rows = [tuple(map(value, row.split(";"))) for row in rows]
        return self.adapter.batch(self.current, sql, rows)

    def do_stream(self, sql):
        return self.adapter.stream(self.current, sql)

    def do_cursor(self, sql, size):
        return self.adapter.cursor(self.current, sql, int(size))

    def do_call(self, name, *parameters):
        return self.adapter.call(self.current, name, tuple(map(value, parameters)))

    def do_change(self, user, password):
        self.adapter.change(self.current, user, password)

    def do_reset(self):
        self.adapter.reset(self.current)

    def do_ping(self):
        self.adapter.ping(self.current)

    def do_database(self, name):
        self.adapter.database(self.current, name)

    def do_charset(self, name):
        self.adapter.charset(self.current, name)

    def do_autocommit(self, state):
        self.adapter.autocommit(self.current, state == "on")

    def do_begin(self):
        self.adapter.begin(self.current)

    def do_commit(self):
        self.current.commit()

    def do_rollback(self):
        self.current.rollback()


def main():
    runner = Runner()
    for line in sys.stdin:
        verb, *fields = line.rstrip("\n").split("\t")
        try:
            answer = runner.step(verb, fields)
        except Unsupported:
            answer = "unsupported"
        except Exception as error:
            text = "error %s %s" % (runner.adapter.code(error), error)
            answer = " ".join(text.split())
        print(answer, flush=True)


main()
