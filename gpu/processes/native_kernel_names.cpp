#include "gpu/processes/native_kernel_names.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string_view>

namespace lathe::native {

namespace {

// In front of torch's own kernels. It wraps CUB into a namespace of its own, and Thrust it uses as
// it is.
constexpr std::string_view framework_prefixes[] = {
  "at::", "at_cuda_detail::", "c10::", "torch::", "caffe2::", "thrust::", "cub::"};

// Kernels of torch's that are in no named namespace.
constexpr std::string_view framework_names[] = {
  "(anonymous namespace)::elementwise_kernel_with_index",
  "(anonymous namespace)::softmax_warp_forward", "(anonymous namespace)::cunn_SoftMaxForward"};

constexpr std::string_view library_prefixes[] = {
  // products: cuBLAS, and CUTLASS as cuBLAS and torch ship it
  "nvjet_", "cublas", "cutlass::", "internal::gemvx::", "xmma_new::",
  // attention as torch ships it
  "pytorch_flash::", "fmha_cutlass",
  // convolutions: cuDNN
  "cudnn", "implicit_convolve_", "explicit_convolve_", "precomputed_convolve_", "winograd_nonfused",
  // transforms: cuFFT
  "vector_fft", "regular_fft", "regular_bluestein_fft", "multi_bluestein_fft",
  "multi_dimension_regular_fft",
  // the rest
  "cusparse", "cusolver", "nccl", "nvshmem"};

// What the parameters of libraries' kernels are called after.
constexpr std::string_view library_words[] = {"cublas", "cudnn", "cusparse", "cusolver", "cufft"};

constexpr std::string_view architectures[] = {"maxwell_", "pascal_", "volta_",
                                              "turing_",  "ampere_", "hopper_"};

bool begins_with_one_of(std::string_view text, const auto& prefixes) {
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view x) { return text.starts_with(x); });
}

bool has_one_of(std::string_view text, const auto& words) {
  return std::any_of(std::begin(words), std::end(words),
                     [&](std::string_view x) { return text.find(x) != std::string_view::npos; });
}

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// "sm90_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize128x128x32"
bool is_xmma(std::string_view name) {
  if (!name.starts_with("sm"))
    return false;
  name.remove_prefix(2);
  auto digits = std::find_if_not(name.begin(), name.end(), is_digit) - name.begin();
  return digits > 0 && name.substr(static_cast<std::size_t>(digits)).starts_with("_xmma_");
}

// "cutlass_80_tensorop_s1688gemm_128x128_16x5_nn_align4": as cuBLAS names what it took over.
bool is_numbered_cutlass(std::string_view name) {
  constexpr std::string_view before = "cutlass_";
  return name.starts_with(before) && name.size() > before.size() && is_digit(name[before.size()]);
}

// "ampere_sgemm_128x64_nn", "maxwell_scudnn_128x64_relu_interior_nn_v1"
bool is_named_after_architecture(std::string_view name) {
  constexpr std::string_view kinds[] = {"gemm", "cudnn"};
  auto size = std::adjacent_find(name.begin(), name.end(),
                                 [](char a, char b) { return is_digit(a) && b == 'x'; });
  return begins_with_one_of(name, architectures) && has_one_of(name, kinds) && size != name.end();
}

} // namespace

std::string readable(const std::string& name) {
  if (!name.starts_with("_Z"))
    return name;
  int status = 0;
  auto text = std::unique_ptr<char, void (*)(void*)>{
    abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free};
  return status == 0 && text != nullptr ? std::string{text.get()} : name;
}

kernel_author author_by_name(const std::string& name) {
  auto text = readable(name);
  std::string_view rest = text;
  if (rest.starts_with("void "))
    rest.remove_prefix(5);
  if (begins_with_one_of(rest, library_prefixes) || is_xmma(rest) || is_numbered_cutlass(rest)
      || is_named_after_architecture(rest))
    return kernel_author::library;
  if (begins_with_one_of(rest, framework_prefixes) || begins_with_one_of(rest, framework_names))
    return kernel_author::framework;
  auto parameters = rest.find_first_of("<(", rest.starts_with('(') ? 1 : 0);
  if (parameters != std::string_view::npos && has_one_of(rest.substr(parameters), library_words))
    return kernel_author::library;
  return kernel_author::own;
}

} // namespace lathe::native
