// Owns: the media types of file names.
// Borrows: the storage given to read(), as long as the table is used.
// Must not touch: sockets; files but the one of `mime_types`, once.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.hpp"
#include "base/text.hpp"

namespace fcgate::files {

class MimeTable {
  public:
    // By what follows the last dot of the last segment, without case; it may be put into `room`. Text types carry charset=utf-8. What is not known is
    // application/octet-stream, which no browser renders.
    [[nodiscard]] std::string_view lookup(std::string_view path, TextBuffer& room) const;

    // Takes types over the built-in ones from a file like /etc/mime.types: a type and its extensions in each line, `#` begins a comment; of an
    // extension that is there twice the last one counts. `why` names file and line. not_found, denied, io: of the file; malformed: a line;
    // too_large: more than `storage` takes.
    [[nodiscard]] Status read(const char* path, std::span<char> storage, TextBuffer& why);
    // The same for lines that are given one by one, in storage that is told before.
    void begin(std::span<char> storage);
    [[nodiscard]] Status add_line(std::string_view line);

  private:
    // Of texts in storage_, each with its size before it.
    struct Row {
        uint32_t extension;
        uint32_t type;
    };

    [[nodiscard]] Result<uint32_t> keep(std::string_view text, std::string_view more, bool lower);
    [[nodiscard]] Status add(std::string_view extension, uint32_t type);
    [[nodiscard]] std::string_view text_at(uint32_t at) const;
    [[nodiscard]] size_t place_of(std::string_view extension) const;
    [[nodiscard]] Row row(size_t number) const;
    void set_row(size_t number, const Row& row);

    // Texts grow from the front, rows from the back: the last one is row 0.
    std::span<char> storage_;
    size_t used_ = 0;
    size_t count_ = 0;
};

}  // namespace fcgate::files
