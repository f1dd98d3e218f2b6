// Owns: bytes in any number, for the sides of a test that must not be bounded as the server is; objects on the heap without
// the C++ runtime.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

namespace fcgate::test {

class Buffer {
  public:
    Buffer() = default;
    ~Buffer() { free(bytes_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    // At least `size` bytes behind the end, to be written and then counted by commit().
    std::span<char> room(size_t size) {
        if (capacity_ - size_ < size) {
            capacity_ = 2 * capacity_ + size;
            bytes_ = static_cast<char*>(realloc(bytes_, capacity_));
            if (bytes_ == nullptr) {
                abort();
            }
        }
        return {bytes_ + size_, capacity_ - size_};
    }
    void commit(size_t size) { size_ += size; }
    Buffer& append(std::string_view text) {
        if (!text.empty()) {
            memcpy(room(text.size()).data(), text.data(), text.size());
            commit(text.size());
        }
        return *this;
    }
    Buffer& append(char c) { return append(std::string_view(&c, 1)); }
    // So many bytes, none like its neighbours, so that a lost or doubled one shows.
    Buffer& append_pattern(size_t size) {
        // Without a division, and through no class: it takes long enough in a build that is not optimized.
        unsigned value = 0;
        unsigned until_251 = 251;
        unsigned until_65521 = 65521;
        char* const start = room(size).data();
        for (char* at = start; at != start + size; ++at) {
            *at = static_cast<char>(value & 0xff);
            value += 31;
            if (--until_251 == 0) {
                until_251 = 251;
                ++value;
            }
            if (--until_65521 == 0) {
                until_65521 = 65521;
                ++value;
            }
        }
        commit(size);
        return *this;
    }
    Buffer& append_letters(size_t size) {
        memset(room(size).data(), 'a', size);
        commit(size);
        return *this;
    }
    void drop_front(size_t size) {
        size_ -= size;
        memmove(bytes_, bytes_ + size, size_);
    }
    void clear() { size_ = 0; }
    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::string_view view() const { return {bytes_, size_}; }
    // With a NUL behind, which is not counted.
    [[nodiscard]] const char* c_str() {
        room(1)[0] = '\0';
        return bytes_;
    }

  private:
    char* bytes_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

template <typename T, typename... Arguments>
[[nodiscard]] T* create(Arguments... arguments) {
    void* const memory = calloc(1, sizeof(T));
    if (memory == nullptr) {
        abort();
    }
    return new (memory) T(arguments...);
}

template <typename T>
void destroy(T* object) {
    if (object != nullptr) {
        object->~T();
        free(object);
    }
}

}  // namespace fcgate::test
