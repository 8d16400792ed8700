# file_operations.pl FOLDER SEED COUNT: random operations on files in FOLDER, which is empty; prints what each
# of them says. Two file systems that print the same with the same seed behave alike.
use strict;
use warnings;
no warnings "io"; # handles are written to that are open for reading only
use Fcntl qw(:DEFAULT :mode :seek);

my ($folder, $seed, $count) = @ARGV;
chdir $folder or die "$folder: $!";
srand $seed;
umask 022;

my @names = map { my $top = $_; ($top, map { "$top/$_" } 'a' .. 'd') } 'a' .. 'f';
my @open;    # [handle, name it was opened by]

sub pick { $_[rand @_] }
sub name { pick(@names) }
sub told { $_[0] ? "ok" : "error " . ($! + 0) }

sub status {
    my @s = @_;
    return "error " . ($! + 0) unless @s;
    my $type = S_IFMT($s[2]);
    # Directories have sizes and links of their own on every file system.
    my $size = $type == S_IFDIR ? "-" : "$s[7] links $s[3]";
    return sprintf "mode %o size %s owner %d %d modified %s", $s[2], $size, $s[4], $s[5],
        $s[9] < 1_000_000_000 ? $s[9] : "now";
}

sub content {
    my $handle = shift;
    sysseek $handle, 0, SEEK_SET;
    my ($all, $part) = ("");
    $all .= $part while sysread $handle, $part, 65536;
    return length($all) . " bytes, sum " . unpack "%32C*", $all;
}

my %operations = (
    create => sub {
        my ($name, $flags) = (name(), pick(O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL,
                O_RDWR | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_APPEND, O_RDONLY));
        my $mode = pick(0644, 0600, 0666, 0777, 0400);
        my $fine = sysopen(my $handle, $name, $flags, $mode);
        my $said = told($fine);
        push @open, [$handle, $name] if $fine;
        shift @open if @open > 6;
        return "$name $flags $said";
    },
    write => sub {
        return "nothing open" unless @open;
        my ($handle, $name) = @{ pick(@open) };
        my ($at, $size) = (int rand 20000, int rand 9000);
        sysseek $handle, $at, SEEK_SET;
        my $done = syswrite $handle, chr(65 + rand 26) x $size;
        return "$name at $at: " . (defined $done ? $done : told(0));
    },
    read => sub {
        return "nothing open" unless @open;
        my ($handle, $name) = @{ pick(@open) };
        return "$name " . content($handle);
    },
    truncate => sub {
        return "nothing open" unless @open;
        my ($handle, $name) = @{ pick(@open) };
        my $size = int rand 30000;
        return "$name $size " . told(truncate $handle, $size);
    },
    truncate_name => sub { my ($n, $s) = (name(), int rand 30000); "$n $s " . told(truncate $n, $s) },
    status_open => sub {
        return "nothing open" unless @open;
        my ($handle, $name) = @{ pick(@open) };
        return "$name " . status(stat $handle);
    },
    close => sub { @open ? (shift @open)->[1] : "nothing open" },
    read_name => sub {
        my $name = name();
        open(my $handle, "<", $name) or return "$name " . told(0);
        return "$name " . (-d $handle ? "directory" : content($handle));
    },
    status => sub { my $n = name(); "$n " . status(lstat $n) },
    rename => sub { my ($a, $b) = (name(), name()); "$a $b " . told(rename $a, $b) },
    link => sub { my ($a, $b) = (name(), name()); "$a $b " . told(link $a, $b) },
    symlink => sub { my ($a, $b) = (name(), name()); "$a $b " . told(symlink $a, $b) },
    readlink => sub { my $n = name(); my $t = readlink $n; "$n " . (defined $t ? $t : told(0)) },
    unlink => sub { my $n = name(); -d $n && !-l $n ? "$n directory" : "$n " . told(unlink $n) },
    mkdir => sub { my ($n, $m) = (name(), pick(0755, 0700, 0777)); "$n " . told(mkdir $n, $m) },
    rmdir => sub { my $n = name(); "$n " . told(rmdir $n) },
    chmod => sub { my ($n, $m) = (name(), pick(0600, 0644, 0755, 0751, 0)); "$n " . told(chmod $m, $n) },
    chown => sub { my ($n, $u) = (name(), pick(0, 1000)); "$n $u " . told(chown $u, $u, $n) },
    utime => sub { my ($n, $t) = (name(), int rand 900_000_000); "$n $t " . told(utime $t, $t, $n) },
    list => sub {
        my $name = pick('.', name());
        opendir(my $handle, $name) or return "$name " . told(0);
        return "$name " . join " ", sort readdir $handle;
    },
);

my @kinds = sort keys %operations;
for my $i (1 .. $count) {
    my $kind = pick(@kinds);
    print "$i $kind ", $operations{$kind}->(), "\n";
}
# What is left, to the last byte.
for my $name (@names) {
    my @s = lstat $name or next;
    my $rest = "";
    if (S_ISREG($s[2]) && open my $handle, "<", $name) { $rest = content($handle) }
    print "left $name ", status(@s), " $rest\n";
}
