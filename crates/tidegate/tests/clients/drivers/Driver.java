// Runs the scenario with MariaDB Connector/J; see the module `driver` of the tests.
//
// Reads a step a line, its fields between tabs, and answers each with one line.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;

public class Driver {
    private static class Unsupported extends RuntimeException {}

    private final Map<String, Connection> connections = new HashMap<>();
    private Connection current;
    private PreparedStatement prepared;

    public static void main(String[] arguments) throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        var driver = new Driver();
        String line;
        while ((line = input.readLine()) != null) {
            var fields = new ArrayList<>(Arrays.asList(line.split("\t", -1)));
            output.println(driver.answer(fields.remove(0), fields));
        }
    }

    private String answer(String verb, List<String> fields) {
        try {
            return step(verb, fields);
        } catch (Unsupported e) {
            return "unsupported";
        } catch (SQLException e) {
            // The driver adds the number of its connection.
            var text = e.getMessage().replaceAll("\\(conn=\\d+\\) ?", "").replaceAll("\\s+", " ");
            return "error " + e.getErrorCode() + " " + e.getSQLState() + " " + text;
        } catch (Exception e) {
            return ("error none " + e).replaceAll("\\s+", " ");
        }
    }

    private String step(String verb, List<String> fields) throws Exception {
        switch (verb) {
            case "open":
                open(fields.get(0), fields.subList(1, fields.size()));
                return "ok";
            case "on":
                current = connections.get(fields.get(0));
                return "ok";
            case "close":
                connections.remove(fields.get(0)).close();
                return "ok";
            case "query":
                try (var statement = current.createStatement()) {
                    return results(statement, statement.execute(fields.get(0)));
                }
            case "execute":
                if (prepared != null) prepared.close();
                prepared = current.prepareStatement(fields.get(0));
                return again(fields.subList(1, fields.size()));
            case "again":
                return again(fields);
            case "batch":
                return batch(fields.get(0), fields.subList(1, fields.size()));
            case "stream":
                return stream(fields.get(0), Integer.MIN_VALUE);
            case "cursor":
                return stream(fields.get(0), Integer.parseInt(fields.get(1)));
            case "call":
                var marks = String.join(", ", fields.subList(1, fields.size()));
                try (var statement = current.prepareCall("{call " + fields.get(0) + "(" + marks + ")}")) {
                    return results(statement, statement.execute());
                }
            case "ping":
                if (!current.isValid(60)) throw new SQLException("not valid");
                return "ok";
            case "database":
                current.setCatalog(fields.get(0));
                return "ok";
            case "autocommit":
                current.setAutoCommit(fields.get(0).equals("on"));
                return "ok";
            case "begin":
                current.setAutoCommit(false);
                return "ok";
            case "commit":
                current.commit();
                current.setAutoCommit(true);
                return "ok";
            case "rollback":
                current.rollback();
                current.setAutoCommit(true);
                return "ok";
            default:
                throw new Unsupported();
        }
    }

    private void open(String name, List<String> options) throws SQLException {
        var properties = new Properties();
        properties.setProperty("user", System.getenv("DB_USER"));
        properties.setProperty("password", System.getenv("DB_PASSWORD"));
        properties.setProperty("allowLocalInfile", "true");
        properties.setProperty("allowMultiQueries", "true");
        properties.setProperty("useServerPrepStmts", "true");
        properties.setProperty("useBulkStmts", "true");
        var database = System.getenv("DB_NAME");
        var port = System.getenv("DB_PORT");
        for (var option : options) {
            var parts = (option + "=").split("=", -1);
            switch (parts[0]) {
                case "user", "password" -> properties.setProperty(parts[0], parts[1]);
                case "database" -> database = parts[1];
                case "compress" -> properties.setProperty("useCompression", "true");
                case "tls" -> {
                    port = System.getenv("DB_TLS_PORT");
                    properties.setProperty("useSsl", "true");
                    properties.setProperty("sslMode", "verify-full");
                    properties.setProperty("serverSslCert", System.getenv("DB_CA"));
                }
                default -> throw new Unsupported();
            }
        }
        var place = System.getenv("DB_HOST") + ":" + port;
        current = DriverManager.getConnection("jdbc:mariadb://" + place + "/" + database, properties);
        connections.put(name, current);
    }

    private String again(List<String> parameters) throws SQLException {
        for (int index = 0; index < parameters.size(); index++) {
            prepared.setObject(index + 1, value(parameters.get(index)));
        }
        return results(prepared, prepared.execute());
    }

    private String batch(String sql, List<String> rows) throws SQLException {
        try (var statement = current.prepareStatement(sql)) {
            for (var row : rows) {
                int index = 1;
                for (var item : row.split(";")) statement.setObject(index++, value(item));
                statement.addBatch();
            }
            return "ok " + Arrays.toString(statement.executeBatch());
        }
    }

    private String stream(String sql, int size) throws SQLException {
        try (var statement = current.createStatement()) {
            statement.setFetchSize(size == Integer.MIN_VALUE ? 1 : size);
            long count = 0, length = 0;
            try (var rows = statement.executeQuery(sql)) {
                while (rows.next()) {
                    count++;
                    length += rows.getString(1).length();
                }
            }
            return count + " rows, " + length + " characters";
        }
    }

    private static String results(Statement statement, boolean isRows) throws SQLException {
        var results = new ArrayList<String>();
        while (true) {
            if (isRows) {
                try (var rows = statement.getResultSet()) {
                    results.add(rows(rows));
                }
            } else if (statement.getUpdateCount() == -1) {
                return String.join(" // ", results);
            } else {
                results.add("ok " + statement.getUpdateCount());
            }
            isRows = statement.getMoreResults();
        }
    }

    private static String rows(ResultSet rows) throws SQLException {
        ResultSetMetaData meta = rows.getMetaData();
        var names = new ArrayList<String>();
        for (int index = 1; index <= meta.getColumnCount(); index++) names.add(meta.getColumnLabel(index));
        var shown = new ArrayList<String>();
        while (rows.next()) {
            var row = new ArrayList<String>();
            for (int index = 1; index <= names.size(); index++) row.add(show(rows.getObject(index)));
            shown.add("(" + String.join(", ", row) + ")");
        }
        return "[" + String.join(",", names) + "] " + String.join(" ", shown);
    }

    /** A parameter as it is written in the scenario. */
    private static Object value(String text) {
        if (text.equals("NULL")) return null;
        if (text.matches("-?\\d+")) return Long.valueOf(text);
        if (text.matches("-?\\d+\\.\\d+")) return Double.valueOf(text);
        if (text.startsWith("0x")) return HexFormat.of().parseHex(text.substring(2));
        if (text.startsWith("~")) return "y".repeat(Integer.parseInt(text.substring(1)));
        return text;
    }

    /** A field's value as it is compared. */
    private static String show(Object item) throws SQLException {
        if (item == null) return "NULL";
        if (item instanceof java.sql.Blob blob) item = blob.getBytes(1, (int) blob.length());
        if (item instanceof byte[] bytes) item = "0x" + HexFormat.of().formatHex(bytes);
        var text = item.toString();
        if (text.length() > 200) return text.length() + " characters";
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t");
    }
}
