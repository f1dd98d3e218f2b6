#include "auth/fingerprint.hpp"

#include <bit>

namespace fcgate::auth {

namespace {

class Sip {
  public:
    explicit Sip(const FingerprintKey& key)
        : v0_(key[0] ^ 0x736f6d6570736575U),
          v1_(key[1] ^ 0x646f72616e646f6dU ^ 0xeeU),
          v2_(key[0] ^ 0x6c7967656e657261U),
          v3_(key[1] ^ 0x7465646279746573U) {}

    void add(std::string_view bytes) {
        for (const char byte : bytes) {
            // Eight to a word, the lowest first.
            word_ |= static_cast<uint64_t>(static_cast<unsigned char>(byte)) << (size_ % 8 * 8);
            if (++size_ % 8 == 0) {
                mix(word_);
                word_ = 0;
            }
        }
    }
    Fingerprint end() {
        // The last word has the length in its highest byte.
        mix(word_ | size_ << 56U);
        v2_ ^= 0xeeU;
        turn(4);
        const uint64_t first = v0_ ^ v1_ ^ v2_ ^ v3_;
        v1_ ^= 0xddU;
        turn(4);
        return {first, v0_ ^ v1_ ^ v2_ ^ v3_};
    }

  private:
    void mix(uint64_t word) {
        v3_ ^= word;
        turn(2);
        v0_ ^= word;
    }
    void turn(int rounds) {
        for (; rounds > 0; --rounds) {
            v0_ += v1_;
            v2_ += v3_;
            v1_ = std::rotl(v1_, 13) ^ v0_;
            v3_ = std::rotl(v3_, 16) ^ v2_;
            v0_ = std::rotl(v0_, 32) + v3_;
            v2_ += v1_;
            v1_ = std::rotl(v1_, 17) ^ v2_;
            v3_ = std::rotl(v3_, 21) ^ v0_;
            v2_ = std::rotl(v2_, 32);
        }
    }

    uint64_t v0_;
    uint64_t v1_;
    uint64_t v2_;
    uint64_t v3_;
    uint64_t word_ = 0;
    uint64_t size_ = 0;
};

}  // namespace

Fingerprint fingerprint_of(const FingerprintKey& key, std::string_view bytes, std::string_view more) {
    Sip sip(key);
    sip.add(bytes);
    if (!more.empty()) {
        constexpr char end = '\0';
        sip.add({&end, 1});
        sip.add(more);
    }
    return sip.end();
}

}  // namespace fcgate::auth
