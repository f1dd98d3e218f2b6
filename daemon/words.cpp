#include "words.hpp"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace fcgate::daemon {

// NOLINTBEGIN(clang-analyzer-valist.Uninitialized): clang-tidy 14 takes a list that is given for one that was not begun.
bool compose_list(char* out, size_t size, Packed pattern, va_list arguments) {
    char* const end = out + size - 1;
    bool fits = true;
    Unpacking rest(pattern);
    while (char c = rest.next()) {
        char digits[24];
        const char* piece = &c;
        size_t length = 1;
        if (c == '%') {
            c = rest.next();
            if (c == 's') {
                piece = va_arg(arguments, const char*);
                length = strlen(piece);
            } else {
                unsigned long long number = 0;
                if (c == 'u') {
                    number = va_arg(arguments, unsigned);
                } else {
                    number = va_arg(arguments, unsigned long long);
                    (void)rest.next();
                    (void)rest.next();
                }
                char* first = digits + sizeof digits;
                do {
                    *--first = static_cast<char>('0' + number % 10);
                    number /= 10;
                } while (number != 0);
                piece = first;
                length = static_cast<size_t>(digits + sizeof digits - first);
            }
        }
        if (length > static_cast<size_t>(end - out)) {
            length = static_cast<size_t>(end - out);
            fits = false;
        }
        memcpy(out, piece, length);
        out += length;
    }
    *out = '\0';
    return fits;
}
// NOLINTEND(clang-analyzer-valist.Uninitialized)

bool compose_packed(char* out, size_t size, Packed pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    const bool fits = compose_list(out, size, pattern, arguments);
    va_end(arguments);
    return fits;
}

bool print(int fd, const char* text) {
    size_t left = strlen(text);
    while (left > 0) {
        const ssize_t written = write(fd, text, left);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        text += written;
        left -= static_cast<size_t>(written);
    }
    return true;
}

bool parse_number(const char* text, unsigned& number) {
    unsigned value = 0;
    do {
        const unsigned digit = static_cast<unsigned char>(*text) - unsigned{'0'};
        if (digit > 9 || value > (UINT_MAX - 1 - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    } while (*++text != '\0');
    number = value;
    return true;
}

}  // namespace fcgate::daemon
