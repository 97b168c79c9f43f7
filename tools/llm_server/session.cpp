#include "tools/llm_server/session.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace lathe::llm_server {

namespace asio = boost::asio;

namespace {

constexpr std::size_t batch = 16u << 10;      // [bytes] of steps without a wait that go at once
constexpr std::size_t most_ahead = 64u << 10; // [bytes] of requests before their turn
constexpr std::chrono::seconds goodbye{2};
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

} // namespace

session::session(worker& home, asio::ip::tcp::socket socket)
  : home_(home), transport_(std::move(socket), home.tls) {
  // nop
}

void session::start() {
  home_.connections.opened();
  home_.sessions.insert(shared_from_this());
  handshake();
}

// -- the protocol ---------------------------------------------------------------------

void session::handshake() {
  switch (transport_.handshake()) {
    case io_state::done:
      return receive();
    case io_state::needs_read:
      return wait_for(wait_type::wait_read, &session::handshake);
    case io_state::needs_write:
      return wait_for(wait_type::wait_write, &session::handshake);
    case io_state::closed:
      return close();
  }
}

void session::receive() {
  take_in({}); // what came with the last request
  while (!closed_ && !leaving_ && !reply_) {
    auto [state, bytes] = transport_.read_some(home_.input.data(), home_.input.size());
    if (state == io_state::closed)
      return close();
    if (state != io_state::done)
      return watch();
    take_in({home_.input.data(), bytes});
  }
}

void session::take_in(std::string_view bytes) {
  switch (reader_.feed(bytes)) {
    case request_reader::state::complete:
      return answer();
    case request_reader::state::refused:
      ++home_.done.requests;
      return begin(responder::refuse(reader_.refused()));
    case request_reader::state::incomplete:
      if (reader_.wants_continue())
        transport_.write_some(go_on); // a client that gets none of it goes on without
  }
}

void session::answer() {
  auto request = reader_.take();
  ++home_.done.requests;
  begin(home_.answers.answer(request, clock::now()));
}

void session::begin(std::unique_ptr<reply> x) {
  reply_ = std::move(x);
  home_.done.streams += reply_->is_stream ? 1 : 0;
  look();
  if (closed_)
    return;
  when_ = clock::now() + reply_->first_byte;
  if (reply_->first_byte.count() > 0)
    home_.timers.set(*this, when_);
  else
    send_next_step();
}

void session::due() {
  auto self = shared_from_this(); // whatever happens, until the wheel has gone on
  if (leaving_)
    close();
  else
    send_next_step();
}

void session::send_next_step() {
  auto& out = home_.output;
  out.clear();
  do {
    step_ = reply_->next(out);
    home_.done.events += step_.events;
  } while (step_.then == after::next_step && step_.wait.count() == 0 && out.size() < batch);
  send(out);
}

void session::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto [state, count] = transport_.write_some(bytes);
    if (state == io_state::closed)
      return lose();
    if (state != io_state::done) {
      unsent_ = bytes;
      return wait_for(state == io_state::needs_read ? wait_type::wait_read : wait_type::wait_write,
                      &session::resume_sending);
    }
    bytes.remove_prefix(count);
  }
  finish_step();
}

void session::resume_sending() {
  send(std::exchange(unsent_, {}));
}

void session::finish_step() {
  switch (step_.then) {
    case after::next_step:
      // Late by more than the wheel's turn means that the client is slow: no step is made up for.
      when_ = std::max(when_ + step_.wait, clock::now());
      return step_.wait.count() > 0 ? home_.timers.set(*this, when_)
                                    : call_later(&session::send_next_step);
    case after::keep_alive:
      reply_.reset();
      // Not from here: a client may have sent a thousand requests ahead.
      return call_later(&session::read_on);
    case after::close:
      return say_goodbye();
    case after::reset:
      transport_.reset();
      return close();
    case after::hang:
      return;
  }
}

// -- reading --------------------------------------------------------------------------

void session::watch() {
  if (!std::exchange(watching_, true))
    wait_for(wait_type::wait_read, &session::read_again);
}

void session::read_again() {
  watching_ = false;
  read_on();
}

void session::read_on() {
  if (leaving_)
    wait_for_goodbye();
  else if (reply_)
    look();
  else
    receive();
}

void session::look() {
  while (reader_.ahead() < most_ahead) {
    auto [state, bytes] = transport_.read_some(home_.input.data(), home_.input.size());
    if (state == io_state::closed)
      return lose();
    if (state != io_state::done)
      return watch();
    reader_.feed({home_.input.data(), bytes});
  }
}

// -- its ends -------------------------------------------------------------------------

void session::say_goodbye() {
  reply_.reset();
  leaving_ = true;
  transport_.end_writing();
  home_.timers.set(*this, clock::now() + goodbye);
  wait_for_goodbye();
}

void session::wait_for_goodbye() {
  // What is left unread would turn the close into a reset, and the answer would be lost.
  for (;;) {
    auto [state, bytes] = transport_.read_some(home_.input.data(), home_.input.size());
    if (state == io_state::closed)
      return close();
    if (state != io_state::done)
      return watch();
  }
}

void session::lose() {
  ++home_.done.closed_early;
  close();
}

void session::close() {
  if (std::exchange(closed_, true))
    return;
  stop();
  transport_.close();
  home_.connections.closed();
  home_.sessions.erase(shared_from_this());
}

void session::call_later(void (session::*f)()) {
  asio::post(home_.io, [self = shared_from_this(), f] {
    if (!self->closed_)
      (self.get()->*f)();
  });
}

void session::wait_for(wait_type what, void (session::*f)()) {
  transport_.socket().async_wait(what, [self = shared_from_this(), f](boost::system::error_code) {
    if (!self->closed_)
      (self.get()->*f)();
  });
}

} // namespace lathe::llm_server
