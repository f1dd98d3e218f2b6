#include "words.hpp"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace fcgate::daemon {

bool compose_list(char* out, size_t size, const char* format, va_list arguments) {
    char* const end = out + size - 1;
    bool fits = true;
    for (; *format != '\0'; ++format) {
        char digits[24];
        const char* piece = format;
        size_t length = 1;
        if (*format == '%' && *++format == 's') {
            piece = va_arg(arguments, const char*);
            length = strlen(piece);
        } else if (piece != format) {
            unsigned long long number = 0;
            if (*format == 'u') {
                number = va_arg(arguments, unsigned);
            } else {
                number = va_arg(arguments, unsigned long long);
                format += 2;
            }
            char* first = digits + sizeof digits;
            do {
                *--first = static_cast<char>('0' + number % 10);
                number /= 10;
            } while (number != 0);
            piece = first;
            length = static_cast<size_t>(digits + sizeof digits - first);
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

bool compose(char* out, size_t size, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const bool fits = compose_list(out, size, format, arguments);
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
