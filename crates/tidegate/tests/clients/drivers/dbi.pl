# Runs the scenario with a client of Perl's DBI; see the module `driver` of the tests.
#
# Called with `MariaDB` or `mysql`. Reads a step a line, its fields between tabs, and answers each
# with one line.

use strict;
use warnings;
use DBI;

my $driver = shift;
my $prefix = $driver eq 'MariaDB' ? 'mariadb' : 'mysql';
my (%connections, $current, $prepared);

binmode STDIN, ':raw';
binmode STDOUT, ':raw';
$| = 1;

# Some versions warn about their own order of closing things.
local $SIG{__WARN__} = sub { };

# A parameter as it is written in the scenario.
sub value {
    my ($text) = @_;
    return undef if $text eq 'NULL';
    return $text + 0 if $text =~ /^-?\d+(\.\d+)?$/;
    return pack 'H*', substr $text, 2 if $text =~ /^0x/;
    return 'y' x substr $text, 1 if $text =~ /^~/;
    utf8::decode($text) if $driver eq 'MariaDB';
    return $text;
}

# A field's value as it is compared.
sub show {
    my ($item) = @_;
    return 'NULL' unless defined $item;
    utf8::encode($item) if utf8::is_utf8($item);
    my $text = $item;
    $item = '0x' . unpack 'H*', $item if $item =~ /\0/ || !utf8::decode($text);
    return length($item) . ' bytes' if length $item > 200;
    $item =~ s/([\\\n\t\x00])/sprintf '\\x%02x', ord $1/ge;
    return $item;
}

sub rows {
    my ($statement) = @_;
    return 'ok ' . ($statement->rows) unless $statement->{NUM_OF_FIELDS};
    my $names = join ',', map { show($_) } @{ $statement->{NAME} };
    my @rows;
    while (my @row = $statement->fetchrow_array) {
        push @rows, '(' . join(', ', map { show($_) } @row) . ')';
    }
    return "[$names] @rows";
}

# Runs a text that is not prepared, and takes all its results.
sub results {
    my ($sql) = @_;
    utf8::decode($sql) if $driver eq 'MariaDB';
    my $statement = $current->prepare($sql, { "${prefix}_server_prepare" => 0 });
    $statement->execute;
    my @results = rows($statement);
    push @results, rows($statement) while $statement->more_results;
    return join ' // ', @results;
}

sub execute {
    $prepared->execute(map { value($_) } @_);
    my $answer = rows($prepared);
    $prepared->finish;
    return $answer;
}

my %verbs = (
    open => sub {
        my ($name, @options) = @_;
        my %options = map { /(\w+)=?(.*)/ ? ($1 => $2 || 1) : () } @options;
        # Its packages are built with libraries that refuse.
        return 'unsupported' if $options{tls} && $driver eq 'mysql';
        my $database = $options{database} // $ENV{DB_NAME};
        my $port = $ENV{ $options{tls} ? 'DB_TLS_PORT' : 'DB_PORT' };
        my $source = "DBI:$driver:database=$database;host=$ENV{DB_HOST};port=$port"
            . ";${prefix}_local_infile=1;${prefix}_multi_statements=1";
        $source .= ";${prefix}_compression=1" if $options{compress};
        if ($options{tls}) {
            $source .= ";${prefix}_ssl=1;${prefix}_ssl_ca_file=$ENV{DB_CA}";
            $source .= ";${prefix}_ssl_verify_server_cert=1" if $driver eq 'MariaDB';
        }
        my %settings = (RaiseError => 1, PrintError => 0, AutoCommit => 1);
        my $opened = DBI->connect($source, $options{user} // $ENV{DB_USER},
            $options{password} // $ENV{DB_PASSWORD}, \%settings);
        my $charset = $options{encoding} // 'utf8mb4';
        $opened->do("SET NAMES $charset") unless $driver eq 'MariaDB';
        $current = $connections{$name} = $opened;
        return 'ok';
    },
    on => sub { $current = $connections{ $_[0] }; 'ok' },
    close => sub {
        undef $prepared;
        my $closed = delete $connections{ $_[0] } or die "not open\n";
        $closed->disconnect;
        'ok';
    },
    query => \&results,
    execute => sub {
        my ($sql, @parameters) = @_;
        utf8::decode($sql) if $driver eq 'MariaDB';
        $prepared = $current->prepare($sql, { "${prefix}_server_prepare" => 1 });
        return execute(@parameters);
    },
    again => \&execute,
    batch => sub {
        my ($sql, @rows) = @_;
        my $statement = $current->prepare($sql, { "${prefix}_server_prepare" => 1 });
        my $changed = 0;
        $changed += $statement->execute(map { value($_) } split /;/) for @rows;
        return "ok $changed";
    },
    stream => sub {
        my $statement = $current->prepare($_[0], { "${prefix}_use_result" => 1 });
        $statement->execute;
        my ($count, $length) = (0, 0);
        while (my @row = $statement->fetchrow_array) {
            $count += 1;
            $length += length $row[0];
        }
        return "$count rows, $length bytes";
    },
    call => sub {
        my ($name, @parameters) = @_;
        return results("CALL $name(" . join(', ', @parameters) . ')');
    },
    ping => sub { $current->ping or die "no answer\n"; 'ok' },
    autocommit => sub { $current->{AutoCommit} = $_[0] eq 'on'; 'ok' },
    begin => sub { $current->begin_work; 'ok' },
    commit => sub { $current->commit; 'ok' },
    rollback => sub { $current->rollback; 'ok' },
);

while (my $line = <STDIN>) {
    chomp $line;
    my ($verb, @fields) = split /\t/, $line, -1;
    my $run = $verbs{$verb};
    if (!$run) {
        print "unsupported\n";
        next;
    }
    my $answer = eval { $run->(@fields) };
    if (my $error = $@) {
        my $number = $DBI::err // 'none';
        my $state = $DBI::state // 'none';
        $error =~ s/ at \S+ line \d+.*//s;
        utf8::encode($error) if utf8::is_utf8($error);
        $answer = "error $number $state $error";
        $answer =~ s/\s+/ /g;
    }
    print "$answer\n";
}
