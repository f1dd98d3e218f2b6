#include "words.hpp"

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

namespace fcgate::daemon {

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
