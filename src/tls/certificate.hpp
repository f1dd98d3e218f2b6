// Owns: a certificate chain with its key, as GnuTLS wants to be given them.
// Borrows: nothing; the files are read once.
// Must not touch: sockets, HTTP, settings. What it holds lies in GnuTLS's heap: it is loaded at the start and at a reload only.
#pragma once

#include <cstdint>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::tls {

class Certificate {
  public:
    struct Parts;  // parts.hpp, for who speaks to GnuTLS

    Certificate() = default;
    ~Certificate() { clear(); }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;

    // Reads chain and key, both PEM, and looks whether they belong together. On failure nothing is held, and `why` names the file and what is
    // wrong with it. not_found, denied: of a file; malformed: its content; exhausted: no memory.
    [[nodiscard]] Status load(const char* chain_path, const char* key_path, TextBuffer& why);
    // Holds what the other holds, too.
    void share(const Certificate& other);
    void clear();

    [[nodiscard]] const Parts* parts() const { return parts_; }
    // Seconds since 1970; 0 when nothing is held.
    [[nodiscard]] int64_t valid_from() const;
    [[nodiscard]] int64_t valid_until() const;
    // Whether browsers take it for this host, a name or an address.
    [[nodiscard]] bool is_for(const char* host) const;

  private:
    Parts* parts_ = nullptr;
};

}  // namespace fcgate::tls
