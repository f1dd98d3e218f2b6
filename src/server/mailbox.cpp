#include "server/mailbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace fcgate::server {

Status Mailbox::init(std::span<fastcgi::Grant> grants) {
    grants_ = grants;
    event_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return event_.valid() ? Status::ok : Status::exhausted;
}

void Mailbox::finish() {
    fastcgi::Grant grant;
    while (take(grant)) {
        if (grant.fd >= 0) {
            close(grant.fd);
        }
    }
    event_.reset();
    pthread_mutex_destroy(&mutex_);
}

void Mailbox::post(const fastcgi::Grant& grant) {
    pthread_mutex_lock(&mutex_);
    if (count_ < grants_.size()) {
        grants_[(first_ + count_++) % grants_.size()] = grant;
    }
    pthread_mutex_unlock(&mutex_);
    ring();
}

void Mailbox::post_yield(uint32_t backend) {
    yields_[backend].fetch_add(1);
    ring();
}

void Mailbox::ring() const {
    const uint64_t one = 1;
    // It can only fail when the counter is full, and then the worker is woken anyway.
    (void)!write(event_.get(), &one, sizeof one);
}

void Mailbox::acknowledge() const {
    uint64_t count = 0;
    (void)!read(event_.get(), &count, sizeof count);
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
