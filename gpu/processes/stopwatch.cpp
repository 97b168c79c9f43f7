#include "gpu/processes/stopwatch.hpp"

namespace lathe::gpu {

void stopwatch::start(clock::time_point now) {
  started_ = now;
  paused_for_ = clock::duration{0};
  if (paused_since_)
    paused_since_ = now;
}

void stopwatch::pause(clock::time_point now) {
  if (!paused_since_)
    paused_since_ = now;
}

void stopwatch::resume(clock::time_point now) {
  paused_for_ = paused_for(now);
  paused_since_.reset();
}

stopwatch::clock::duration stopwatch::elapsed(clock::time_point now) const {
  return now - started_ - paused_for(now);
}

stopwatch::clock::duration stopwatch::paused_for(clock::time_point now) const {
  return paused_since_ ? paused_for_ + (now - *paused_since_) : paused_for_;
}

} // namespace lathe::gpu
