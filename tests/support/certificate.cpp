#include "tests/support/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <unistd.h>

namespace lathe::test {

namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* x) const {
    Free(x);
  }
};

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;

constexpr long day = 24 * 60 * 60; // [seconds]

void check(bool done) {
  if (!done)
    throw std::runtime_error{"OpenSSL could not make a test certificate"};
}

void add_extension(X509* x, int id, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, x, x, nullptr, nullptr, 0);
  extension_ptr extension{X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str())};
  check(extension && X509_add_ext(x, extension.get(), -1) == 1);
}

template <class Write>
std::string pem_of(Write write) {
  bio_ptr out{BIO_new(BIO_s_mem())};
  check(out && write(out.get()) == 1);
  std::string result(BIO_ctrl_pending(out.get()), '\0');
  check(BIO_read(out.get(), result.data(), static_cast<int>(result.size())) > 0);
  return result;
}

} // namespace

certificate make_certificate(const std::string& names, bool expired) {
  // Not EVP_EC_gen: the macro casts in C's way.
  key_ptr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  x509_ptr x{X509_new()};
  check(key && x && X509_set_version(x.get(), 2) == 1);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), -2 * day);
  X509_gmtime_adj(X509_getm_notAfter(x.get()), expired ? -day : day);
  check(X509_set_pubkey(x.get(), key.get()) == 1);
  auto subject = X509_get_subject_name(x.get());
  std::string name = "lathe test";
  check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0)
        == 1);
  check(X509_set_issuer_name(x.get(), subject) == 1);
  add_extension(x.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(x.get(), NID_subject_alt_name, names);
  check(X509_sign(x.get(), key.get(), EVP_sha256()) > 0);
  return {pem_of([&](BIO* out) { return PEM_write_bio_X509(out, x.get()); }), pem_of([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

namespace {

std::string new_file() {
  auto result = (std::filesystem::temp_directory_path() / "lathe-pem-XXXXXX").string();
  auto opened = ::mkstemp(result.data());
  if (opened < 0)
    throw std::runtime_error{"there is no room for a certificate"};
  ::close(opened);
  return result;
}

} // namespace

pem_file::pem_file(const std::string& text) : path(new_file()) {
  std::ofstream{path} << text;
}

pem_file::~pem_file() {
  std::remove(path.c_str());
}

} // namespace lathe::test
