#include "server/mailbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace fcgate::server {

Status Mailbox::init(std::span<fastcgi::Grant> grants, size_t places) {
    grants_ = grants;
    places_ = places;
    event_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return event_.valid() ? Status::ok : Status::exhausted;
}

void Mailbox::finish() {
    fastcgi::Grant grant;
    while (take(grant)) {
        if (grant.fd >= 0) {
            ::close(grant.fd);
        }
    }
    event_.reset();
    pthread_mutex_destroy(&mutex_);
}

bool Mailbox::post(const fastcgi::Grant& grant) {
    pthread_mutex_lock(&mutex_);
    const bool is_open = !closed_;
    const size_t room = grants_.size() - (grant.is_notice() ? places_ : 0);
    if (is_open && count_ < room) {
        grants_[(first_ + count_++) % grants_.size()] = grant;
    }
    pthread_mutex_unlock(&mutex_);
    ring();
    return is_open;
}

void Mailbox::close() {
    pthread_mutex_lock(&mutex_);
    closed_ = true;
    pthread_mutex_unlock(&mutex_);
}

void Mailbox::post_yield(uint32_t backend) {
    yields_[backend].fetch_add(1, std::memory_order_relaxed);
    ring();
}

void Mailbox::post_news(uint32_t news) {
    news_.fetch_or(news, std::memory_order_relaxed);
    ring();
}

void Mailbox::ring() {
    if (rung_.exchange(true)) {
        return;  // the worker has not looked since
    }
    const uint64_t one = 1;
    // It can only fail when the counter is full, and then the worker is woken anyway.
    (void)!write(event_.get(), &one, sizeof one);
}

void Mailbox::acknowledge() {
    uint64_t count = 0;
    (void)!read(event_.get(), &count, sizeof count);
    // Takes over what was written before each ring: nothing else below needs an order.
    (void)rung_.exchange(false);
}

bool Mailbox::take(fastcgi::Grant& out) {
    pthread_mutex_lock(&mutex_);
    const bool any = count_ > 0;
    if (any) {
        out = grants_[first_];
        first_ = (first_ + 1) % grants_.size();
        --count_;
    }
    pthread_mutex_unlock(&mutex_);
    return any;
}

}  // namespace fcgate::server
