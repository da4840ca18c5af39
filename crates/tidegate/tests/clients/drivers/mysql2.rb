# Runs the scenario with Ruby's mysql2; see the module `driver` of the tests.
#
# Reads a step a line, its fields between tabs, and answers each with one line.

require 'mysql2'

class Unsupported < StandardError; end

# A parameter as it is written in the scenario.
def value(text)
  case text
  when 'NULL' then nil
  when /\A-?\d+\z/ then text.to_i
  when /\A-?\d+\.\d+\z/ then text.to_f
  when /\A0x/ then [text[2..]].pack('H*')
  when /\A~/ then 'y' * text[1..].to_i
  else text
  end
end

# A field's value as it is compared.
def show(item)
  return 'NULL' if item.nil?
  return "0x#{item.unpack1('H*')}" if item.is_a?(String) && item.encoding == Encoding::BINARY

  item = item.encode('UTF-8') if item.is_a?(String)
  text = item.is_a?(Time) ? item.strftime('%F %T.%6N') : item.to_s
  return "#{text.length} characters" if text.length > 200

  text.gsub('\\', '\\\\\\\\').gsub("\n", '\n').gsub("\t", '\t')
end

def rows_of(result)
  rows = result.map { |row| "(#{row.map { |item| show(item) }.join(', ')})" }
  names = result.fields.map { |name| name.encode('UTF-8') }
  "[#{names.join(',')}] #{rows.join(' ')}"
end

class Runner
  def initialize
    @connections = {}
  end

  def open(name, *options)
    options = options.to_h { |option| option.partition('=').values_at(0, 2) }
    raise Unsupported if options.key?('compress')

    settings = {
      host: ENV['DB_HOST'],
      port: ENV[options.key?('tls') ? 'DB_TLS_PORT' : 'DB_PORT'].to_i,
      username: options['user'] || ENV['DB_USER'],
      password: options['password'] || ENV['DB_PASSWORD'],
      database: options['database'] || ENV['DB_NAME'],
      encoding: options['encoding'] || 'utf8mb4',
      local_infile: true, flags: ['MULTI_STATEMENTS'], as: :array
    }
    settings.update(sslca: ENV['DB_CA'], sslverify: true) if options.key?('tls')
    @current = @connections[name] = Mysql2::Client.new(settings)
    nil
  end

  def on(name)
    @current = @connections[name]
    nil
  end

  def close(name)
    @connections.delete(name).close
    nil
  end

  def query(sql)
    results = [told(@current.query(sql))]
    while @current.next_result
      results << told(@current.store_result)
    end
    results.join(' // ')
  rescue Mysql2::Error
    @current.abandon_results!
    raise
  end

  def told(result)
    result ? rows_of(result) : "ok #{@current.affected_rows} #{@current.last_id}"
  end

  def execute(sql, *parameters)
    @prepared&.close
    @prepared = nil
    @prepared = @current.prepare(sql)
    again(*parameters)
  end

  def again(*parameters)
    result = @prepared.execute(*parameters.map { |it| value(it) }, as: :array)
    result ? rows_of(result) : "ok #{@prepared.affected_rows} #{@prepared.last_id}"
  end

  def batch(sql, *rows)
    statement = @current.prepare(sql)
    changed = rows.sum do |row|
      statement.execute(*row.split(';').map { |it| value(it) })
      statement.affected_rows
    end
    "ok #{changed}"
  ensure
    statement&.close
  end

  def stream(sql)
    count = length = 0
    @current.query(sql, stream: true, cache_rows: false).each do |row|
      count += 1
      length += row[0].to_s.length
    end
    "#{count} rows, #{length} characters"
  end

  def call(name, *parameters)
    query("CALL #{name}(#{parameters.join(', ')})")
  end

  def ping
    raise 'no answer' unless @current.ping
  end

  def database(name)
    @current.select_db(name)
    nil
  end

  def autocommit(state)
    query("SET autocommit=#{state == 'on' ? 1 : 0}")
  end

  %w[begin commit rollback].each do |word|
    define_method(word) { query(word) }
  end
end

$stdout.sync = true
runner = Runner.new
$stdin.set_encoding('UTF-8')
$stdin.each_line(chomp: true) do |line|
  verb, *fields = line.split("\t", -1)
  answer =
    begin
      runner.respond_to?(verb) ? runner.public_send(verb, *fields) || 'ok' : 'unsupported'
    rescue Unsupported
      'unsupported'
    rescue Mysql2::Error => e
      "error #{e.errno} #{e.sql_state} #{e.message}"
    rescue StandardError => e
      "error none #{e.message}"
    end
  puts answer.gsub(/\s+/, ' ')
end
