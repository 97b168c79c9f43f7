#pragma once

#include "tools/llm_server/reply.hpp"
#include "tools/llm_server/request_reader.hpp"
#include "tools/llm_server/transport.hpp"
#include "tools/llm_server/worker.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace lathe::llm_server {

/// One connection: reads a request, sends its reply, and so on. Lives on its worker's thread, and
/// as long as it is among the worker's sessions.
class session : public std::enable_shared_from_this<session>, public timer_wheel::timer {
public:
  using clock = timer_wheel::clock;

  session(worker& home, boost::asio::ip::tcp::socket socket);

  void start();

  /// The next step of the reply, or the end of waiting for the client's goodbye.
  void due() override;

  void close();

private:
  using wait_type = boost::asio::ip::tcp::socket::wait_type;
  using io_state = transport::state;

  // -- the protocol -------------------------------------------------------------------

  void handshake();
  void receive();
  void take_in(std::string_view bytes);
  void answer();
  void begin(std::unique_ptr<reply> x);
  void send_next_step();
  void send(std::string_view bytes);
  void resume_sending();
  void finish_step();

  // -- reading ------------------------------------------------------------------------

  // Calls `read_again` once there is something to read. One such wait at a time.
  void watch();
  void read_again();
  void read_on();

  // While an answer is under way: looks whether the client goes, and keeps what else it says.
  void look();

  // -- its ends -----------------------------------------------------------------------

  // Takes no more than the client's goodbye.
  void say_goodbye();
  void wait_for_goodbye();
  void lose();

  // -- waiting: `f` is not called once the session is over ----------------------------

  void call_later(void (session::*f)());
  void wait_for(wait_type what, void (session::*f)());

  worker& home_;
  transport transport_;
  request_reader reader_;
  std::unique_ptr<reply> reply_;
  step step_;              // whose bytes are being sent
  std::string unsent_;     // of these bytes, when the client does not read fast enough
  clock::time_point when_; // the next step is due
  bool watching_ = false;
  bool leaving_ = false;
  bool closed_ = false;
};

} // namespace lathe::llm_server
