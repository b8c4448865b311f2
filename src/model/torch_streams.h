/* Streams of a GPU, one for each call under way; private to this folder, C++. */
#ifndef SSNE_MODEL_TORCH_STREAMS_H
#define SSNE_MODEL_TORCH_STREAMS_H

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <mutex>
#include <optional>
#include <vector>

namespace ssne {

/* Streams that were used before are used again, since each keeps memory of its own. Only what
 * libtorch has for devices of any kind is used: it needs no headers of the CUDA toolkit. */
class stream_pool {
public:
  /* For as long as it lives, this thread works on a stream that no other works on; on a CPU it does
   * nothing. */
  class borrowed {
  public:
    borrowed(stream_pool &pool, at::Device device) : pool_(pool) {
      if (device.is_cuda()) guard_.emplace(pool_.take(device));
    }
    ~borrowed() {
      if (guard_) pool_.put(guard_->current_stream());
    }
    borrowed(const borrowed &) = delete;
    borrowed &operator=(const borrowed &) = delete;

  private:
    stream_pool &pool_;
    std::optional<c10::StreamGuard> guard_;
  };

private:
  c10::Stream take(at::Device device) {
    const std::lock_guard<std::mutex> hold(lock_);
    if (free_.empty())
      return c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
    const c10::Stream stream = free_.back();
    free_.pop_back();
    return stream;
  }
  void put(c10::Stream stream) {
    const std::lock_guard<std::mutex> hold(lock_);
    free_.push_back(stream);
  }

  std::mutex lock_;
  std::vector<c10::Stream> free_;
};

} // namespace ssne

#endif
