#include "vectors.hpp"

#include <cstdio>

#include "base/text.hpp"
#include "fcgate/fcgate.h"

namespace fcgate::test {

namespace {

// What stands there from `start` on, so many times in all.
void repeat(Buffer& bytes, size_t start, size_t times) {
    const size_t size = bytes.size() - start;
    (void)bytes.room(size * times);
    for (size_t i = 1; i < times; ++i) {
        bytes.append(slice(bytes.view(), start, size));
    }
}

}  // namespace

bool Vector::allows(unsigned status) const {
    for (size_t i = 0; i < status_count; ++i) {
        if (statuses[i] == status) {
            return true;
        }
    }
    return false;
}

bool VectorTable::load(const char* path) {
    FILE* const file = fopen(path, "rb");
    if (file == nullptr) {
        return false;
    }
    size_t count = 0;
    do {
        const std::span<char> room = text_.room(16384);
        count = fread(room.data(), 1, room.size(), file);
        text_.commit(count);
    } while (count > 0);
    (void)fclose(file);
    text_.append("\n\n");
    rewind();
    return true;
}

bool VectorTable::next(Vector& vector) {
    vector.name.clear();
    vector.bytes.clear();
    vector.status_count = 0;
    bool begun = false;
    while (!rest_.empty() && !malformed_) {
        const std::string_view line = split_first(rest_, '\n', rest_);
        if (line.empty() && begun) {
            break;
        }
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (!begun) {
            begun = starts_with(line, "= ");
            malformed_ = !begun;
            vector.name.append(slice(line, 2));
        } else if (starts_with(line, "> ")) {
            malformed_ = !read_expectation(slice(line, 2), vector);
        } else {
            malformed_ = !read_bytes(line, vector.bytes);
        }
    }
    malformed_ = malformed_ || (begun && (vector.status_count == 0 || vector.bytes.empty()));
    return begun && !malformed_;
}

bool VectorTable::read_expectation(std::string_view line, Vector& vector) {
    bool has_canary = false;
    vector.runs_in_php = vector.has_body = false;
    vector.body.clear();
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        const Result<uint64_t> status = word == "-" ? Result<uint64_t>(uint64_t{0}) : parse_decimal(word);
        if (status.ok()) {
            vector.statuses[vector.status_count++] = static_cast<unsigned>(status.value());
        } else if (word == "php") {
            vector.runs_in_php = true;
        } else if (word == ":") {
            vector.has_body = true;
            return has_canary && read_bytes(trim(line), vector.body);
        } else {
            const bool is_old = slice(fcgate_libmicrohttpd_version(), 0, 2) == "0.";
            vector.canary = word == "canary" || (word == "kept" && !is_old)  ? Vector::Canary::answered
                            : word == "closed" || (word == "kept" && is_old) ? Vector::Canary::unheard
                                                                             : Vector::Canary::any;
            has_canary = word == "canary" || word == "kept" || word == "closed" || word == "any";
        }
    }
    return has_canary;
}

bool VectorTable::read_bytes(std::string_view line, Buffer& bytes) {
    size_t times = 0;
    size_t start = 0;
    for (size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '}' && times > 0) {
            repeat(bytes, start, times);
            times = 0;
            continue;
        }
        if (line[i] != '\\') {
            bytes.append(line[i]);
            continue;
        }
        const char kind = slice(line, i + 1).empty() ? '\0' : line[i + 1];
        const std::string_view digits = slice(line, i + 2, 2);
        if (kind == 'r' || kind == 'n' || kind == 't' || kind == '\\') {
            bytes.append(kind == 'r' ? '\r' : kind == 'n' ? '\n' : kind == 't' ? '\t' : '\\');
            ++i;
        } else if (kind == 'x' && digits.size() == 2 && hex_value(digits[0]) >= 0 && hex_value(digits[1]) >= 0) {
            bytes.append(static_cast<char>(hex_value(digits[0]) * 16 + hex_value(digits[1])));
            i += 3;
        } else if (kind == '*') {
            std::string_view rest;
            const Result<uint64_t> number = parse_decimal(split_first(slice(line, i + 2), '{', rest));
            if (!number.ok() || number.value() == 0 || rest.empty()) {
                return false;
            }
            times = static_cast<size_t>(number.value());
            start = bytes.size();
            i = line.size() - rest.size() - 1;
        } else {
            return false;
        }
    }
    return times == 0;
}

}  // namespace fcgate::test
