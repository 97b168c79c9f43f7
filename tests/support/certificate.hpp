#pragma once

#include <string>

namespace lathe::test {

/// A certificate that signs itself, and its private key, both PEM.
struct certificate {
  std::string certificate_pem;
  std::string key_pem;
};

/// Makes a certificate for `names`, as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". Valid for
/// a day, from a day ago when `expired`.
certificate make_certificate(const std::string& names, bool expired = false);

/// A file that goes with this object.
class pem_file {
public:
  explicit pem_file(const std::string& text);

  pem_file(const pem_file&) = delete;

  pem_file& operator=(const pem_file&) = delete;

  ~pem_file();

  const std::string path;
};

} // namespace lathe::test
