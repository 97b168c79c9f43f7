#include "tools/llm_server/ticker.hpp"

namespace lathe::llm_server {

void ticker::set(timer_wheel::timer& x, clock::time_point when) {
  wheel_.set(x, when);
  if (!turning_ && when < alarm_at_)
    wait_until(*wheel_.next());
}

void ticker::wait_until(clock::time_point when) {
  alarm_at_ = when;
  alarm_.expires_at(when);
  alarm_.async_wait([this](boost::system::error_code code) {
    if (code)
      return; // set anew, to something earlier
    turning_ = true;
    wheel_.advance(clock::now());
    turning_ = false;
    alarm_at_ = clock::time_point::max();
    if (auto next = wheel_.next())
      wait_until(*next);
  });
}

} // namespace lathe::llm_server
