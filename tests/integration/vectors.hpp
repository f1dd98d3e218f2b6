// Owns: the tables of requests of tests/cases, read from their files.
#pragma once

#include <string_view>

#include "buffer.hpp"

namespace fcgate::test {

struct Vector {
    enum class Canary : unsigned char { answered, unheard, any };

    Buffer name;
    Buffer bytes;
    Buffer body;                // what PHP gets
    unsigned statuses[6] = {};  // 0: the connection ends without a word
    size_t status_count = 0;
    Canary canary = Canary::any;
    bool runs_in_php = false;
    bool has_body = false;  // `body` tells it

    [[nodiscard]] bool allows(unsigned status) const;
};

class VectorTable {
  public:
    // Puts a file behind those before. False when it cannot be read.
    [[nodiscard]] bool load(const char* path);
    // The next vector; false at the end, or when the table is malformed, which is_malformed() then tells.
    [[nodiscard]] bool next(Vector& vector);
    [[nodiscard]] bool is_malformed() const { return malformed_; }
    void rewind() { rest_ = text_.view(); }

  private:
    [[nodiscard]] bool read_expectation(std::string_view line, Vector& vector);
    [[nodiscard]] bool read_bytes(std::string_view line, Buffer& bytes);

    Buffer text_;
    std::string_view rest_;
    bool malformed_ = false;
};

}  // namespace fcgate::test
