// Owns: a file of certificates or of a key as it was read, in GnuTLS's memory; what may be a key is wiped.
// Must not touch: what stands in it.
#pragma once

#include <gnutls/gnutls.h>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::tls {

class PemFile {
  public:
    PemFile() = default;
    ~PemFile();
    PemFile(const PemFile&) = delete;
    PemFile& operator=(const PemFile&) = delete;

    // Once. Never waits for a FIFO, and reads limits::certificate_file bytes at most. On failure `why` is "PATH: what is wrong". not_found, denied,
    // io: as status_of_error(); malformed: it is no file, or too large; exhausted: no memory.
    [[nodiscard]] Status read(const char* path, TextBuffer& why);
    [[nodiscard]] const gnutls_datum_t* data() const { return &data_; }

  private:
    gnutls_datum_t data_{};
};

}  // namespace fcgate::tls
