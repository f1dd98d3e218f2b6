#include "fake_backend.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "fastcgi/record.hpp"

namespace fcgate::test {

namespace {

constexpr size_t header_bytes = 8;
constexpr size_t largest_content = 65535;

[[nodiscard]] unsigned byte_at(std::string_view text, size_t at) {
    return static_cast<unsigned char>(text[at]);
}

// A name's or value's length (section 3.4); false when it is cut off.
[[nodiscard]] bool take_length(std::string_view& rest, size_t& length) {
    if (rest.empty()) {
        return false;
    }
    const size_t bytes = byte_at(rest, 0) < 128 ? 1 : 4;
    if (rest.size() < bytes) {
        return false;
    }
    length = byte_at(rest, 0) & 127;
    for (size_t i = 1; i < bytes; ++i) {
        length = length * 256 + byte_at(rest, i);
    }
    rest.remove_prefix(bytes);
    return true;
}

}  // namespace

void append_record(Buffer& to, unsigned type, std::string_view content, unsigned padding, unsigned id,
                   unsigned version) {
    const char header[header_bytes] = {static_cast<char>(version),
                                       static_cast<char>(type),
                                       static_cast<char>(id >> 8),
                                       static_cast<char>(id),
                                       static_cast<char>(content.size() >> 8),
                                       static_cast<char>(content.size()),
                                       static_cast<char>(padding),
                                       0};
    to.append({header, sizeof header}).append(content);
    for (unsigned i = 0; i < padding; ++i) {
        to.append('\xee');
    }
}

void append_output(Buffer& to, std::string_view cgi) {
    while (!cgi.empty()) {
        const std::string_view part = slice(cgi, 0, largest_content);
        append_record(to, fcgi_stdout, part);
        cgi.remove_prefix(part.size());
    }
}

void append_end(Buffer& to, unsigned protocol_status) {
    const char content[8] = {0, 0, 0, 0, static_cast<char>(protocol_status), 0, 0, 0};
    append_record(to, fcgi_end_request, {content, sizeof content});
}

// ---- one connection -------------------------------------------------------------------------------------------------

void PhpConnection::begin() {
    params_.clear();
    body_.clear();
    begun_ = params_ended_ = body_ended_ = answered_ = is_taken = false;
}

bool PhpConnection::more(int64_t deadline) {
    if (receive(fd_, input_, deadline) != Receipt::bytes) {
        return false;
    }
    digest();
    return !malformed_;
}

bool PhpConnection::absorb() {
    while (is_readable(fd_)) {
        if (!more(0)) {
            return false;
        }
    }
    return true;
}

void PhpConnection::digest() {
    size_t used = 0;
    for (;;) {
        const std::string_view rest = slice(input_.view(), used);
        if (rest.size() < header_bytes) {
            break;
        }
        const size_t size = byte_at(rest, 4) * 256 + byte_at(rest, 5);
        const size_t whole = header_bytes + size + byte_at(rest, 6);
        if (rest.size() < whole) {
            break;
        }
        malformed_ = malformed_ || byte_at(rest, 0) != 1 || byte_at(rest, 2) != 0 || byte_at(rest, 3) != 1;
        take_record(byte_at(rest, 1), slice(rest, header_bytes, size));
        used += whole;
    }
    input_.drop_front(used);
}

void PhpConnection::take_record(unsigned type, std::string_view content) {
    if (type == fcgi_begin_request) {
        malformed_ = malformed_ || (begun_ && !answered_) || content.size() != 8 || content[0] != 0 || content[1] != 1;
        begin();
        begun_ = true;
        keeps_ = content.size() == 8 && (content[2] & 1) != 0;
    } else if (type == fcgi_params && begun_ && !params_ended_) {
        params_ended_ = content.empty();
        params_.append(content);
    } else if (type == fcgi_stdin && params_ended_ && !body_ended_) {
        body_ended_ = content.empty();
        body_.append(content);
        longest_body_record = std::max(longest_body_record, content.size());
    } else {
        malformed_ = true;
    }
}

bool PhpConnection::read_head(int64_t deadline) {
    if (answered_) {
        begin();
    }
    while (!params_ended_) {
        if (!more(deadline)) {
            return false;
        }
    }
    return true;
}

bool PhpConnection::read_body(size_t size, int64_t deadline) {
    if (!read_head(deadline)) {
        return false;
    }
    while (body_.size() < size) {
        if (body_ended_ || !more(deadline)) {
            return false;
        }
    }
    return true;
}

bool PhpConnection::read_request(int64_t deadline) {
    if (!read_head(deadline)) {
        return false;
    }
    while (!body_ended_) {
        if (!more(deadline)) {
            return false;
        }
    }
    return true;
}

bool PhpConnection::find_param(std::string_view wanted, std::string_view& found) const {
    std::string_view rest = params_.view();
    while (!rest.empty()) {
        size_t name_size = 0;
        size_t value_size = 0;
        if (!take_length(rest, name_size) || !take_length(rest, value_size) || rest.size() < name_size + value_size) {
            return false;
        }
        const std::string_view name = slice(rest, 0, name_size);
        const std::string_view value = slice(rest, name_size, value_size);
        rest.remove_prefix(name_size + value_size);
        if (name == wanted) {
            found = value;
            return true;
        }
    }
    return false;
}

std::string_view PhpConnection::param(std::string_view name) const {
    std::string_view value;
    (void)find_param(name, value);
    return value;
}

bool PhpConnection::has_param(std::string_view name) const {
    std::string_view value;
    return find_param(name, value);
}

bool PhpConnection::out(std::string_view text) {
    Buffer bytes;
    append_output(bytes, text);
    return raw(bytes.view());
}

bool PhpConnection::err(std::string_view text) {
    Buffer bytes;
    append_record(bytes, fcgi_stderr, text);
    return raw(bytes.view());
}

bool PhpConnection::end(unsigned protocol_status) {
    answered_ = true;
    Buffer bytes;
    append_end(bytes, protocol_status);
    return raw(bytes.view());
}

bool PhpConnection::answer(std::string_view cgi) {
    answered_ = true;
    Buffer bytes;
    append_output(bytes, cgi);
    append_end(bytes);
    return raw(bytes.view());
}

void PhpConnection::close() {
    if (fd_ >= 0) {
        ::close(fd_);
        fd_ = -1;
    }
}

void PhpConnection::reset() {
    reset_connection(fd_);
    fd_ = -1;
}

bool PhpConnection::is_left(int64_t deadline) {
    constexpr int64_t look_ms = 2;
    Receipt receipt = Receipt::late;
    do {
        // As PHP: what tells of a client that has left is a write that fails, and the end of reading. An FCGI_ABORT_REQUEST may come first.
        if (send(fd_, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE) {
            close();
            return true;
        }
        const bool is_abort = input_.size() == fcgate::fastcgi::header_size &&
                              input_.view()[1] == static_cast<char>(fcgate::fastcgi::RecordType::abort_request);
        if (!input_.empty() && !is_abort) {
            return false;
        }
        receipt = receive(fd_, input_, std::min(deadline, monotonic_ms() + look_ms));
    } while (receipt == Receipt::bytes || (receipt == Receipt::late && monotonic_ms() < deadline));
    return receipt == Receipt::end || receipt == Receipt::reset;
}

// ---- the listener ---------------------------------------------------------------------------------------------------

LongReply::LongReply() {
    Buffer much;
    much.append("Content-Type: text/plain\r\n\r\n").append_pattern(size_t{24} * 1024 * 1024);
    append_output(records_, much.view());
}

void LongReply::send_some(const PhpConnection& php) {
    sent_ += send_bytes(php.fd(), slice(records_.view(), sent_), monotonic_ms() + 5);
}

FakeBackend::~FakeBackend() {
    stop_listening();
    for (PhpConnection* const connection : connections_) {
        destroy(connection);
    }
}

PhpConnection*& FakeBackend::free_place() {
    PhpConnection** closed = nullptr;
    for (PhpConnection*& place : connections_) {
        if (place == nullptr) {
            return place;
        }
        if (place->fd() < 0 && closed == nullptr) {
            closed = &place;
        }
    }
    if (closed == nullptr) {
        abort();
    }
    destroy(*closed);
    return *closed;
}

bool FakeBackend::listen(const Address& address, int backlog) {
    listener_ = listen_on(address, backlog);
    address_ = address.is_local() || listener_ < 0 ? address : bound_address(listener_);
    return listener_ >= 0;
}

void FakeBackend::stop_listening() {
    if (listener_ >= 0) {
        ::close(listener_);
        listener_ = -1;
    }
}

PhpConnection* FakeBackend::accept(int64_t deadline) {
    if (!wait_for(listener_, POLLIN, deadline)) {
        return nullptr;
    }
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
        return nullptr;
    }
    ++count_;
    PhpConnection*& place = free_place();
    place = create<PhpConnection>(fd);
    return place;
}

PhpConnection* FakeBackend::next_request(int64_t deadline) {
    for (;;) {
        std::array<pollfd, most + 1> watched{};
        watched[0] = {listener_, POLLIN, 0};
        // No more than are open: poll() refuses more places than RLIMIT_NOFILE.
        size_t count = 1;
        for (PhpConnection* const connection : connections_) {
            if (connection == nullptr || connection->fd() < 0) {
                continue;
            }
            watched[count++] = {connection->fd(), POLLIN, 0};
            if (!connection->absorb()) {
                connection->close();
                --count;
            } else if (connection->is_complete() && !connection->is_taken) {
                connection->is_taken = true;
                return connection;
            }
        }
        const int64_t left = std::max<int64_t>(deadline - monotonic_ms(), 0);
        const int events = poll(watched.data(), count, static_cast<int>(left));
        if (events == 0 || (events < 0 && errno != EINTR) ||
            ((watched[0].revents & POLLIN) != 0 && accept(0) == nullptr)) {
            return nullptr;
        }
    }
}

// ---- the thread -----------------------------------------------------------------------------------------------------

void Responder::start(FakeBackend& backend, Answer answer) {
    backend_ = &backend;
    answer_ = answer;
    stopping_ = false;
    running_ = pthread_create(&thread_, nullptr, &Responder::main, this) == 0;
}

void Responder::stop() {
    stopping_ = true;
    if (running_) {
        pthread_join(thread_, nullptr);
        running_ = false;
    }
}

void* Responder::main(void* self) {
    auto& responder = *static_cast<Responder*>(self);
    while (!responder.stopping_) {
        std::array<pollfd, FakeBackend::most + 1> watched{};
        watched[0] = {responder.backend_->listener(), POLLIN, 0};
        bool due = false;
        for (size_t i = 0; i < responder.open_count_; ++i) {
            watched[i + 1] = {responder.open_[i]->fd(), POLLIN, 0};
            due = due || responder.open_[i]->is_complete();
        }
        // A round without news is the time to answer.
        constexpr int look_at_stopping_ms = 20;
        const int events = poll(watched.data(), responder.open_count_ + 1, due ? 0 : look_at_stopping_ms);
        if (events > 0) {
            // First who has left: only then are those who have come counted beside them.
            const bool closed = responder.read_all();
            if (!closed && (watched[0].revents & POLLIN) != 0) {
                responder.accept_all();
            }
        } else if (due) {
            responder.answer_one();
        }
    }
    return nullptr;
}

void Responder::accept_all() {
    if (open_count_ == open_.size()) {
        return;
    }
    PhpConnection* const connection = backend_->accept(0);
    if (connection == nullptr) {
        return;
    }
    // Whoever was closed before this one was opened is no longer there.
    (void)read_all();
    open_[open_count_++] = connection;
    ++connections_;
    most_open_ = std::max<size_t>(most_open_, open_count_);
}

bool Responder::read_all() {
    bool closed = false;
    for (size_t i = 0; i < open_count_;) {
        if (open_[i]->absorb()) {
            ++i;
            continue;
        }
        malformed_ = malformed_ || open_[i]->is_malformed();
        drop(i);
        closed = true;
    }
    return closed;
}

void Responder::answer_one() {
    for (size_t i = 0; i < open_count_; ++i) {
        PhpConnection& connection = *open_[i];
        if (!connection.is_complete()) {
            continue;
        }
        Buffer cgi;
        answer_(connection, cgi);
        ++requests_;
        const bool keeps = connection.keeps_connection();
        const bool sent = connection.answer(cgi.view());
        // The rest moves up: nobody is served twice while others wait.
        std::rotate(open_.begin() + i, open_.begin() + i + 1, open_.begin() + open_count_);
        if (!keeps || !sent) {
            drop(open_count_ - 1);
        }
        return;
    }
}

void Responder::drop(size_t at) {
    open_[at]->close();
    std::move(open_.begin() + at + 1, open_.begin() + open_count_, open_.begin() + at);
    --open_count_;
}

}  // namespace fcgate::test
