#pragma once

#include "tools/llm_server/timer_wheel.hpp"

#include <boost/asio/steady_timer.hpp>

namespace lathe::llm_server {

/// Turns a timer wheel in real time. Lives on its I/O thread alone.
class ticker {
public:
  using clock = timer_wheel::clock;

  explicit ticker(boost::asio::io_context& io) : wheel_(clock::now()), alarm_(io) {
    // nop
  }

  /// Makes `x` due at `when`, instead of what it waited for until now.
  void set(timer_wheel::timer& x, clock::time_point when);

private:
  void wait_until(clock::time_point when);

  timer_wheel wheel_;
  boost::asio::steady_timer alarm_;
  clock::time_point alarm_at_ = clock::time_point::max();
  bool turning_ = false;
};

} // namespace lathe::llm_server
