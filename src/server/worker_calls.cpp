// The part of Worker for scripts that the host calls. Nothing else leads here but CallOps, which the settings of such hosts carry.
#include <algorithm>

#include "server/worker.hpp"

namespace fcgate::server {

const CallOps& Worker::call_ops() {
    static constexpr CallOps ops = {
        .init =
            [](Worker& self, const Pools& pools) {
                self.calls_.init({.calls = pools.items<Call>(PoolKind::calls),
                                  .texts = pools.bytes(PoolKind::call_texts),
                                  .text_size = pools[PoolKind::call_texts].size,
                                  .first_delivery = static_cast<uint32_t>(pools[PoolKind::connections].count),
                                  .worker = self.number_,
                                  .upstream = &self.upstream_,
                                  .mailbox = &self.mailbox_,
                                  .configuration = [](Worker& owner) -> const Configuration& {
                                      owner.change_over();
                                      return *owner.configuration_;
                                  },
                                  .owner = &self,
                                  .log = &self.common_->log});
            },
        .finish =
            [](Calls& calls) {
                calls.stop(true);
                calls.finish();
            },
        .look =
            [](Calls& calls) {
                if (calls.take_news()) {
                    calls.look();
                }
            },
        .run = [](Calls& calls) { calls.run(); },
        .stop = [](Calls& calls, bool at_once) { calls.stop(at_once); },
        .are_under_way =
            [](const Common& common) {
                const auto has_calls = [](const Worker& worker) { return worker.calls_.live() > 0; };
                return std::ranges::any_of(common.workers, has_calls);
            },
    };
    return ops;
}

}  // namespace fcgate::server
