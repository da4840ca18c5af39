// Runs the scenario with a client of Node.js; see the module `driver` of the tests.
//
// Called with the client's module. Reads a step a line, its fields between tabs, and answers each
// with one line.

'use strict';

const fs = require('fs');
const readline = require('readline');
const env = process.env;
const name = process.argv[2];
const client = require(name === 'mysql2' ? 'mysql2/promise' : 'mariadb');

class Unsupported extends Error {}

// A parameter as it is written in the scenario.
function value(text) {
  if (text === 'NULL') return null;
  if (/^-?\d+$/.test(text)) return Number(text);
  if (/^-?\d+\.\d+$/.test(text)) return Number(text);
  if (text.startsWith('0x')) return Buffer.from(text.slice(2), 'hex');
  if (text.startsWith('~')) return 'y'.repeat(Number(text.slice(1)));
  return text;
}

// A field's value as it is compared.
function show(item) {
  if (item === null || item === undefined) return 'NULL';
  if (Buffer.isBuffer(item)) item = '0x' + item.toString('hex');
  if (item instanceof Date) item = item.toISOString();
  const text = typeof item === 'object' ? JSON.stringify(item) : String(item);
  if (text.length > 200) return `${text.length} characters`;
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/\t/g, '\\t');
}

const rowsOf = (names, rows) =>
  `[${names.join(',')}] ` + rows.map((row) => `(${row.map(show).join(', ')})`).join(' ');

const okOf = (result) => `ok ${result.affectedRows} ${result.insertId} ${result.warningStatus}`;

// The results of one statement, which may be several statements.
function resultsOf(results, columns, several) {
  if (!several) return resultOf(results, columns);
  return results.map((result, index) => resultOf(result, columns[index])).join(' // ');
}

function resultOf(result, columns) {
  if (!columns) return okOf(result);
  return rowsOf(columns.map((column) => column.name), result);
}

class MySql2 {
  open(options) {
    const settings = this.settings(options);
    settings.infileStreamFactory = (path) => fs.createReadStream(path);
    settings.rowsAsArray = true;
    settings.supportBigNumbers = true;
    settings.bigNumberStrings = true;
    settings.dateStrings = true;
    if ('compress' in options) settings.compress = true;
    return client.createConnection(settings);
  }

  settings(options) {
    const settings = {
      host: env.DB_HOST,
      port: Number('tls' in options ? env.DB_TLS_PORT : env.DB_PORT),
      user: options.user ?? env.DB_USER,
      password: options.password ?? env.DB_PASSWORD,
      database: options.database ?? env.DB_NAME,
      charset: options.encoding ?? 'utf8mb4',
      multipleStatements: true,
    };
    if ('tls' in options) settings.ssl = { ca: fs.readFileSync(env.DB_CA, 'utf8') };
    return settings;
  }

  async query(connection, sql) {
    const [results, columns] = await connection.query(sql);
    const several = Array.isArray(columns) && columns.some((it) => it === undefined || Array.isArray(it));
    return resultsOf(results, columns, several);
  }

  async execute(connection, sql, parameters) {
    if (this.prepared) await this.prepared.close();
    this.prepared = await connection.prepare(sql);
    return this.again(connection, sql, parameters);
  }

  async again(connection, sql, parameters) {
    const [result, columns] = await this.prepared.execute(parameters);
    return resultOf(result, columns);
  }

  async batch(connection, sql, rows) {
    const [head] = sql.split(/ \(\?/);
    const [result] = await connection.query(`${head} ?`, [rows]);
    return okOf(result);
  }

  async stream(connection, sql) {
    let count = 0;
    let length = 0;
    const rows = connection.connection.query(sql).stream();
    for await (const row of rows) {
      count += 1;
      length += String(row[0]).length;
    }
    return `${count} rows, ${length} characters`;
  }

  async cursor() {
    throw new Unsupported();
  }

  async call(connection, procedure, parameters) {
    return this.query(connection, `CALL ${procedure}(${parameters.join(', ')})`);
  }

  async change(connection, user, password) {
    await connection.changeUser({ user, password, database: env.DB_NAME });
  }

  async reset() {
    throw new Unsupported();
  }

  async charset(connection, charset) {
    await connection.query(`SET NAMES ${charset}`);
  }

  async database(connection, database) {
    await connection.changeUser({ database, user: env.DB_USER, password: env.DB_PASSWORD });
  }
}

class MariaDb extends MySql2 {
  open(options) {
    const settings = this.settings(options);
    // Its collations are named, not its character sets.
    settings.charset = undefined;
    if ('encoding' in options) throw new Unsupported();
    settings.permitLocalInfile = true;
    settings.rowsAsArray = true;
    settings.metaAsArray = true;
    settings.dateStrings = true;
    settings.bigIntAsNumber = false;
    if ('compress' in options) settings.compress = true;
    return client.createConnection(settings);
  }

  async query(connection, sql) {
    return this.told(await connection.query(sql));
  }

  // With `metaAsArray` there are always two: what came, and its columns.
  told([results, columns]) {
    const several = Array.isArray(columns) && columns.some((it) => Array.isArray(it));
    return several
      ? results.map((result, index) => this.one(result, columns[index])).join(' // ')
      : this.one(results, columns);
  }

  one(result, columns) {
    if (!Array.isArray(result)) return okOf(result);
    return rowsOf(columns.map((column) => column.name()), result);
  }

  async again(connection, sql, parameters) {
    return this.told(await this.prepared.execute(parameters));
  }

  async batch(connection, sql, rows) {
    const [result] = await connection.batch(sql, rows);
    return okOf(result);
  }

  async stream(connection, sql) {
    let count = 0;
    let length = 0;
    for await (const row of connection.queryStream(sql)) {
      count += 1;
      length += String(row[0]).length;
    }
    return `${count} rows, ${length} characters`;
  }

  async reset(connection) {
    await connection.reset();
  }

  async database() {
    throw new Unsupported();
  }
}

class Runner {
  constructor() {
    this.adapter = name === 'mysql2' ? new MySql2() : new MariaDb();
    this.connections = {};
  }

  async open(name, ...options) {
    const pairs = Object.fromEntries(options.map((option) => (option + '=').split('=').slice(0, 2)));
    const connection = await this.adapter.open(pairs);
    // What happens to an idle connection is told by its next statement.
    connection.on('error', () => {});
    this.connections[name] = connection;
    this.current = connection;
  }

  async on(name) {
    this.current = this.connections[name];
  }

  async close(name) {
    await this.connections[name].end();
  }

  query(sql) {
    return this.adapter.query(this.current, sql);
  }

  execute(sql, ...parameters) {
    this.sql = sql;
    return this.adapter.execute(this.current, sql, parameters.map(value));
  }

  again(...parameters) {
    return this.adapter.again(this.current, this.sql, parameters.map(value));
  }

  batch(sql, ...rows) {
    return this.adapter.batch(this.current, sql, rows.map((row) => row.split(';').map(value)));
  }

  stream(sql) {
    return this.adapter.stream(this.current, sql);
  }

  cursor(sql, size) {
    return this.adapter.cursor(this.current, sql, Number(size));
  }

  call(procedure, ...parameters) {
    return this.adapter.call(this.current, procedure, parameters.map(value));
  }

  change(user, password) {
    return this.adapter.change(this.current, user, password);
  }

  reset() {
    return this.adapter.reset(this.current);
  }

  ping() {
    return this.current.ping().then(() => 'ok');
  }

  database(name) {
    return this.adapter.database(this.current, name);
  }

  charset(name) {
    return this.adapter.charset(this.current, name);
  }

  async autocommit(state) {
    await this.current.query(`SET autocommit=${state === 'on' ? 1 : 0}`);
  }

  async begin() {
    await this.current.beginTransaction();
  }

  async commit() {
    await this.current.commit();
  }

  async rollback() {
    await this.current.rollback();
  }
}

async function main() {
  const runner = new Runner();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, ...fields] = line.split('\t');
    let answer;
    try {
      answer = (await runner[verb](...fields)) || 'ok';
    } catch (error) {
      const text = `error ${error.errno} ${error.sqlState} ${error.sqlMessage ?? error.message}`;
      answer = error instanceof Unsupported ? 'unsupported' : text.replace(/\s+/g, ' ');
    }
    process.stdout.write(answer + '\n');
  }
  process.exit(0);
}

main();
