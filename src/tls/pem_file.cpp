#include "tls/pem_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.hpp"
#include "base/limits.hpp"

namespace fcgate::tls {

PemFile::~PemFile() {
    if (data_.data != nullptr) {
        gnutls_memset(data_.data, 0, data_.size);
        gnutls_free(data_.data);
    }
}

Status PemFile::read(const char* path, TextBuffer& why) {
    const Descriptor file(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat status {};
    if (!file.valid() || fstat(file.get(), &status) != 0) {
        const int number = errno;
        why.append(path).append(": "_p).append(strerror(number));
        return number == ENOENT ? Status::not_found : number == EACCES || number == EPERM ? Status::denied : Status::io;
    }
    if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) > limits::certificate_file) {
        why.append(path).append(S_ISREG(status.st_mode) ? ": it is larger than 256 KiB"_p : ": it must be a file"_p);
        return Status::malformed;
    }
    const auto size = static_cast<size_t>(status.st_size);
    data_.data = static_cast<unsigned char*>(gnutls_malloc(size + 1));
    if (data_.data == nullptr) {
        why.append(path).append(": no memory"_p);
        return Status::exhausted;
    }
    ssize_t count = 1;
    while (count != 0 && data_.size < size) {
        count = ::read(file.get(), data_.data + data_.size, size - data_.size);
        if (count < 0 && errno != EINTR) {
            why.append(path).append(": "_p).append(strerror(errno));
            return Status::io;
        }
        data_.size += count > 0 ? static_cast<unsigned>(count) : 0;
    }
    // As gnutls_load_file() does.
    data_.data[data_.size] = '\0';
    return Status::ok;
}

}  // namespace fcgate::tls
