// Owns: a program that stands in for php-fpm or php-cgi, as whoever starts PHP sees it: it takes its socket as these do, has a worker, and
// says hello to every request, but for those of dies.php: then it ends its connection as a worker does that is killed.
#pragma once

namespace fcgate::test {

// Never returns. `is_fpm`: the socket comes by FPM_SOCKETS, and readiness is told on standard error; else it is standard input.
[[noreturn]] void be_php(bool is_fpm);

}  // namespace fcgate::test
