# Drives IO::Socket::Socks. The reply's number is the last word of an error, as "reply 5".
#
# usage: socks-client.pl COMMAND VERSION RESOLVE PROXY_PORT HOST PORT [NAME PASSWORD]
# COMMAND: connect, bind, udp or resolve; RESOLVE: 1 when the proxy is to resolve names
use strict;
use warnings;
use IO::Socket::Socks qw(:DEFAULT :constants);
use Socket;

my ($command, $version, $resolve, $proxy_port, $host, $port, $name, $password) = @ARGV;
binmode STDIN;
binmode STDOUT;
my $request = do { local $/; <STDIN> };

my %proxy = (
    ProxyAddr    => "127.0.0.1",
    ProxyPort    => $proxy_port,
    SocksVersion => $version,
    SocksResolve => $resolve,
    Timeout      => 30,
    defined $name
    ? (AuthType => "userpass", RequireAuth => 1, Username => $name, Password => $password)
    : (),
);

sub open_by {
    my $socket = IO::Socket::Socks->new(%proxy, @_);
    if (!$socket) {
        printf STDERR "%s: reply %d\n", "$SOCKS_ERROR", $SOCKS_ERROR->as_num;
        exit 1;
    }
    return $socket;
}

# Sends all while it receives all: neither side may wait for the other.
sub exchange {
    my ($socket) = @_;
    my $sender = fork() // die "fork: $!";
    if ($sender == 0) {
        my $sent = 0;
        while ($sent < length $request) {
            $sent += syswrite($socket, $request, 65536, $sent) // die "write: $!";
        }
        shutdown $socket, 1;
        require POSIX;
        POSIX::_exit(0);
    }
    while (sysread $socket, my $chunk, 65536) { print $chunk }
    waitpid $sender, 0;
    exit $? >> 8;
}

if ($command eq "connect") {
    exchange(open_by(ConnectAddr => $host, ConnectPort => $port));
}

# The second reply of BIND. accept() of 0.74 lacks a "$" and reads SOCKS5's, whatever the version.
sub accept_by {
    my ($socket) = @_;
    return $socket->accept() if $version == 5;
    push @{ ${*$socket}->{SOCKS}->{queue} }, ["_socks4_connect_reply", [], undef, [], 0];
    return defined $socket->_run_queue();
}

# As active FTP does it: over one connection the target is told where to make the other.
if ($command eq "bind") {
    my $control = open_by(ConnectAddr => $host, ConnectPort => $port);
    my $data = open_by(BindAddr => $host, BindPort => $port);
    my ($bound_host, $bound_port) = $data->dst();
    syswrite $control, "$bound_host $bound_port\n";
    accept_by($data) or die "accept: $SOCKS_ERROR";
    my ($peer_host, $peer_port) = $data->dst();
    print STDERR "peer $peer_host $peer_port\n";
    exchange($data);
}

if ($command eq "udp") {
    my $socket = open_by(UdpAddr => "0.0.0.0", UdpPort => 0);
    $socket->send($request, 0, pack_sockaddr_in($port, inet_aton($host))) or die "send: $!";
    $socket->recv(my $answer, 65536) or die "recv: $!";
    print $answer;
    exit 0;
}

# The module has no RESOLVE (Tor's 0xF0): its CONNECT goes out with that command instead.
if ($command eq "resolve") {
    no warnings "redefine";
    my $send = \&IO::Socket::Socks::_socks5_connect_command;
    *IO::Socket::Socks::_socks5_connect_command = sub { $send->($_[0], 0xF0) };
    my ($address) = open_by(ConnectAddr => $host, ConnectPort => $port)->dst();
    print $address;
    exit 0;
}

die "Unknown command $command\n";
