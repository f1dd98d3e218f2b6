#include "doctor/resolve.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/descriptor.hpp"
#include "base/text.hpp"
#include "fastcgi/inquiry.hpp"

namespace fcgate::doctor {

namespace {

constexpr size_t header_size = 12;
constexpr size_t longest_name = 253;
constexpr size_t longest_label = 63;
constexpr size_t most = 512;  // of a question or an answer
constexpr int64_t answer_ms = 1000;
constexpr uint8_t type_ipv4 = 1;
constexpr uint8_t type_ipv6 = 28;
constexpr uint8_t class_internet = 1;

// Where what follows a name begins; 0: past the end. Names may end in a pointer to another (section 4.1.4).
[[nodiscard]] size_t skip_name(std::span<const uint8_t> message, size_t at) {
    constexpr uint8_t pointer = 0xc0;
    while (at < message.size()) {
        const uint8_t length = message[at];
        if (length >= pointer) {
            return at + 2;
        }
        at += size_t{1} + length;
        if (length == 0) {
            return at;
        }
    }
    return 0;
}

void set_address(std::span<const uint8_t> bytes, Endpoint& out) {
    sockaddr_storage storage{};
    if (bytes.size() == sizeof(in_addr)) {
        auto& address = reinterpret_cast<sockaddr_in&>(storage);
        address.sin_family = AF_INET;
        memcpy(&address.sin_addr, bytes.data(), bytes.size());
        out = Endpoint(storage, sizeof address);
    } else {
        auto& address = reinterpret_cast<sockaddr_in6&>(storage);
        address.sin6_family = AF_INET6;
        memcpy(&address.sin6_addr, bytes.data(), bytes.size());
        out = Endpoint(storage, sizeof address);
    }
}

[[nodiscard]] Status ask_for(uint8_t type, std::string_view host, const Endpoint& server, int64_t deadline,
                             Endpoint& out) {
    sockaddr_storage address{};
    const socklen_t length = server.to_sockaddr(address);
    const Descriptor fd(socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto id = static_cast<uint16_t>(monotonic_ms());
    uint8_t message[most];
    const size_t size = write_question(host, id, type, message);
    if (size == 0) {
        return Status::malformed;
    }
    if (sendto(fd.get(), message, size, 0, reinterpret_cast<const sockaddr*>(&address), length) < 0) {
        return Status::io;
    }
    const int64_t end = std::min(monotonic_ms() + answer_ms, deadline);
    while (fastcgi::wait_for_input(fd.get(), end) == Status::ok) {
        const ssize_t count = recv(fd.get(), message, sizeof message, 0);
        if (count < 0) {
            return Status::io;
        }
        const Status status = read_answer({message, static_cast<size_t>(count)}, id, type, out);
        if (status != Status::malformed) {
            return status;
        }
    }
    return Status::timed_out;
}

}  // namespace

size_t write_question(std::string_view host, uint16_t id, uint8_t type, std::span<uint8_t> out) {
    const size_t size = header_size + host.size() + 2 + 4;
    if (host.empty() || host.size() > longest_name || size > out.size()) {
        return 0;
    }
    memset(out.data(), 0, size);
    store_be16(out.data(), id);
    out[2] = 1;  // recursion desired
    out[5] = 1;  // one question
    size_t at = header_size;
    while (!host.empty()) {
        const std::string_view label = split_first(host, '.', host);
        if (label.empty() || label.size() > longest_label) {
            return 0;
        }
        out[at] = static_cast<uint8_t>(label.size());
        memcpy(out.data() + at + 1, label.data(), label.size());
        at += 1 + label.size();
    }
    at += 2;
    out[at] = type;
    out[at + 2] = class_internet;
    return at + 3;
}

Status read_answer(std::span<const uint8_t> answer, uint16_t id, uint8_t type, Endpoint& out) {
    constexpr uint8_t is_answer = 0x80;
    constexpr size_t record_size = 10;
    if (answer.size() < header_size || load_be16(answer.data()) != id || (answer[2] & is_answer) == 0) {
        return Status::malformed;
    }
    size_t at = header_size;
    for (unsigned left = load_be16(answer.data() + 4); left > 0; --left) {
        at = skip_name(answer, at);
        if (at == 0) {
            return Status::not_found;
        }
        at += 4;
    }
    for (unsigned left = load_be16(answer.data() + 6); left > 0; --left) {
        at = skip_name(answer, at);
        if (at == 0 || at + record_size > answer.size()) {
            break;
        }
        const size_t length = load_be16(answer.data() + at + 8);
        const size_t wanted = type == type_ipv4 ? sizeof(in_addr) : sizeof(in6_addr);
        const bool fits = at + record_size + length <= answer.size();
        if (load_be16(answer.data() + at) == type && length == wanted && fits) {
            set_address(answer.subspan(at + record_size, length), out);
            return Status::ok;
        }
        at += record_size + length;
    }
    return Status::not_found;
}

Status resolve(std::string_view host, const Endpoint& server, int64_t deadline, Endpoint& out) {
    const Status status = ask_for(type_ipv4, host, server, deadline, out);
    return status == Status::not_found ? ask_for(type_ipv6, host, server, deadline, out) : status;
}

}  // namespace fcgate::doctor
