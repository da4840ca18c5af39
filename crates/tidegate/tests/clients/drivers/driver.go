// Runs the scenario with go-sql-driver/mysql; see the module `driver` of the tests.
//
// Reads a step a line, its fields between tabs, and answers each with one line.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

var (
	errUnsupported = errors.New("unsupported")
	integer        = regexp.MustCompile(`^-?\d+$`)
	float          = regexp.MustCompile(`^-?\d+\.\d+$`)
	blanks         = regexp.MustCompile(`\s+`)
	always         = context.Background()
)

// value is a parameter as it is written in the scenario.
func value(text string) interface{} {
	switch {
	case text == "NULL":
		return nil
	case integer.MatchString(text):
		number, _ := strconv.ParseInt(text, 10, 64)
		return number
	case float.MatchString(text):
		number, _ := strconv.ParseFloat(text, 64)
		return number
	case strings.HasPrefix(text, "0x"):
		bytes, _ := hex.DecodeString(text[2:])
		return bytes
	case strings.HasPrefix(text, "~"):
		count, _ := strconv.Atoi(text[1:])
		return strings.Repeat("y", count)
	}
	return text
}

func values(texts []string) []interface{} {
	all := make([]interface{}, len(texts))
	for index, text := range texts {
		all[index] = value(text)
	}
	return all
}

// show is a field's value as it is compared.
func show(item interface{}) string {
	var text string
	switch item := item.(type) {
	case nil:
		return "NULL"
	case []byte:
		text = string(item)
	default:
		text = fmt.Sprint(item)
	}
	if len(text) > 200 {
		return fmt.Sprintf("%d bytes", len(text))
	}
	return strings.Trim(strconv.Quote(text), `"`)
}

func rowsOf(rows *sql.Rows) (string, error) {
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "ok", nil
	}
	shown := []string{}
	for rows.Next() {
		items := make([]interface{}, len(names))
		places := make([]interface{}, len(names))
		for index := range items {
			places[index] = &items[index]
		}
		if err := rows.Scan(places...); err != nil {
			return "", err
		}
		row := make([]string, len(items))
		for index, item := range items {
			row[index] = show(item)
		}
		shown = append(shown, "("+strings.Join(row, ", ")+")")
	}
	return fmt.Sprintf("[%s] %s", strings.Join(names, ","), strings.Join(shown, " ")), rows.Err()
}

func resultsOf(rows *sql.Rows) (string, error) {
	defer rows.Close()
	results := []string{}
	for {
		result, err := rowsOf(rows)
		if err != nil {
			return "", err
		}
		results = append(results, result)
		if !rows.NextResultSet() {
			return strings.Join(results, " // "), rows.Err()
		}
	}
}

type connection struct {
	pool *sql.DB
	conn *sql.Conn
}

type runner struct {
	connections map[string]connection
	current     *sql.Conn
	prepared    *sql.Stmt
	trx         *sql.Tx
}

func (r *runner) open(name string, options []string) error {
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = os.Getenv("DB_HOST") + ":" + os.Getenv("DB_PORT")
	config.User = os.Getenv("DB_USER")
	config.Passwd = os.Getenv("DB_PASSWORD")
	config.DBName = os.Getenv("DB_NAME")
	config.MultiStatements = true
	config.AllowAllFiles = true
	config.Collation = "utf8mb4_general_ci"
	for _, option := range options {
		parts := strings.SplitN(option+"=", "=", 3)
		switch parts[0] {
		case "user":
			config.User = parts[1]
		case "password":
			config.Passwd = parts[1]
		case "database":
			config.DBName = parts[1]
		case "encoding":
			config.Collation = parts[1] + "_general_ci"
		case "tls":
			config.TLSConfig = "ours"
			config.Addr = os.Getenv("DB_HOST") + ":" + os.Getenv("DB_TLS_PORT")
		default:
			return errUnsupported
		}
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	conn, err := pool.Conn(always)
	if err != nil {
		return err
	}
	r.connections[name] = connection{pool, conn}
	r.current = conn
	return nil
}

func (r *runner) query(text string) (string, error) {
	if r.trx != nil {
		rows, err := r.trx.QueryContext(always, text)
		if err != nil {
			return "", err
		}
		return resultsOf(rows)
	}
	rows, err := r.current.QueryContext(always, text)
	if err != nil {
		return "", err
	}
	return resultsOf(rows)
}

func (r *runner) again(parameters []string) (string, error) {
	rows, err := r.prepared.QueryContext(always, values(parameters)...)
	if err != nil {
		return "", err
	}
	return resultsOf(rows)
}

func (r *runner) batch(text string, rows []string) (string, error) {
	statement, err := r.current.PrepareContext(always, text)
	if err != nil {
		return "", err
	}
	defer statement.Close()
	changed := int64(0)
	for _, row := range rows {
		result, err := statement.ExecContext(always, values(strings.Split(row, ";"))...)
		if err != nil {
			return "", err
		}
		count, _ := result.RowsAffected()
		changed += count
	}
	return fmt.Sprintf("ok %d", changed), nil
}

func (r *runner) stream(text string) (string, error) {
	rows, err := r.current.QueryContext(always, text)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, _ := rows.Columns()
	places := make([]interface{}, len(names))
	for index := range places {
		places[index] = new(sql.RawBytes)
	}
	count, length := 0, 0
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return "", err
		}
		count++
		length += len(*places[0].(*sql.RawBytes))
	}
	return fmt.Sprintf("%d rows, %d bytes", count, length), rows.Err()
}

func (r *runner) step(verb string, fields []string) (string, error) {
	switch verb {
	case "open":
		return "ok", r.open(fields[0], fields[1:])
	case "on":
		r.current = r.connections[fields[0]].conn
		return "ok", nil
	case "close":
		if r.prepared != nil {
			r.prepared.Close()
			r.prepared = nil
		}
		it, open := r.connections[fields[0]]
		if !open {
			return "", errors.New("not open")
		}
		delete(r.connections, fields[0])
		it.conn.Close()
		return "ok", it.pool.Close()
	case "query":
		return r.query(fields[0])
	case "execute":
		if r.prepared != nil {
			r.prepared.Close()
			r.prepared = nil
		}
		statement, err := r.current.PrepareContext(always, fields[0])
		if err != nil {
			return "", err
		}
		r.prepared = statement
		return r.again(fields[1:])
	case "again":
		return r.again(fields)
	case "batch":
		return r.batch(fields[0], fields[1:])
	case "stream":
		return r.stream(fields[0])
	case "call":
		return r.query(fmt.Sprintf("CALL %s(%s)", fields[0], strings.Join(fields[1:], ", ")))
	case "ping":
		return "ok", r.current.PingContext(always)
	case "autocommit":
		return r.query("SET autocommit=" + map[string]string{"on": "1", "off": "0"}[fields[0]])
	case "begin":
		trx, err := r.current.BeginTx(always, nil)
		r.trx = trx
		return "ok", err
	case "commit", "rollback":
		if r.trx == nil {
			return r.query(strings.ToUpper(verb))
		}
		trx := r.trx
		r.trx = nil
		if verb == "commit" {
			return "ok", trx.Commit()
		}
		return "ok", trx.Rollback()
	}
	return "", errUnsupported
}

func answer(result string, err error) string {
	var refused *mysql.MySQLError
	switch {
	case err == nil:
		return result
	case errors.Is(err, errUnsupported):
		return "unsupported"
	case errors.As(err, &refused):
		return fmt.Sprintf("error %d %s", refused.Number, refused.Message)
	}
	return fmt.Sprintf("error none %v", err)
}

func main() {
	roots := x509.NewCertPool()
	pem, _ := os.ReadFile(os.Getenv("DB_CA"))
	roots.AppendCertsFromPEM(pem)
	mysql.RegisterTLSConfig("ours", &tls.Config{RootCAs: roots, ServerName: "localhost"})
	mysql.SetLogger(quiet{})
	runner := runner{connections: map[string]connection{}}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		fields := strings.Split(input.Text(), "\t")
		line := answer(runner.step(fields[0], fields[1:]))
		fmt.Println(blanks.ReplaceAllString(line, " "))
	}
}

type quiet struct{}

func (quiet) Print(...interface{}) {}
