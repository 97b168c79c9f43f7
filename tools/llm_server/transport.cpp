#include "tools/llm_server/transport.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace lathe::llm_server {

namespace asio = boost::asio;

namespace {

int bounded(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

} // namespace

transport::transport(asio::ip::tcp::socket socket, SSL_CTX* tls) : socket_(std::move(socket)) {
  boost::system::error_code ignored; // the client may be gone already: the first read says so
  socket_.native_non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
  if (tls == nullptr)
    return;
  ssl_.reset(SSL_new(tls));
  SSL_set_fd(ssl_.get(), socket_.native_handle());
  SSL_set_accept_state(ssl_.get());
}

transport::state transport::handshake() {
  if (!ssl_)
    return state::done;
  ERR_clear_error();
  return of_tls(SSL_do_handshake(ssl_.get())).now;
}

transport::outcome transport::read_some(char* data, std::size_t size) {
  if (!ssl_)
    return of_socket(::recv(socket_.native_handle(), data, size, 0), state::needs_read);
  ERR_clear_error();
  return of_tls(SSL_read(ssl_.get(), data, bounded(size)));
}

transport::outcome transport::write_some(std::string_view bytes) {
  if (!ssl_)
    return of_socket(::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                     state::needs_write);
  ERR_clear_error();
  return of_tls(SSL_write(ssl_.get(), bytes.data(), bounded(bytes.size())));
}

void transport::end_writing() {
  if (ssl_ && SSL_is_init_finished(ssl_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get()); // what is lost of it when the socket is full, nobody waits for
  }
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void transport::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void transport::reset() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
  socket_.close(ignored);
}

transport::outcome transport::of_socket(ssize_t result, state when_blocked) const {
  if (result > 0)
    return {state::done, static_cast<std::size_t>(result)};
  if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    return {when_blocked};
  return {state::closed};
}

transport::outcome transport::of_tls(int result) const {
  if (result > 0)
    return {state::done, static_cast<std::size_t>(result)};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {state::needs_read};
    case SSL_ERROR_WANT_WRITE:
      return {state::needs_write};
    default:
      return {state::closed};
  }
}

} // namespace lathe::llm_server
