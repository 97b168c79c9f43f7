#include "gpu/processes/native_kernel_names.hpp"

#include <gtest/gtest.h>

using namespace lathe::native;

namespace {

void expect_all(kernel_author author, std::initializer_list<const char*> names) {
  for (auto* name : names)
    EXPECT_EQ(author_by_name(name), author) << name;
}

} // namespace

TEST(author_by_name, products_are_a_librarys) {
  expect_all(
    kernel_author::library,
    {"nvjet_sm90_sss_128x128_32x4_1x2_h_bz_coopA_NNT", "nvjet_tst_192x192_64x4_2x1_v_bz_TNN",
     "sm90_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize128x128x32_warpgroupsize2x1x1_execute_segment_"
     "k_off_kernel__5x_cublas",
     "sm80_xmma_gemm_f32f32_f32f32_f32_tn_n_tilesize32x32x8_stage3_warpsize1x2x1_ffma_aligna4_"
     "alignc4_execute_kernel__5x_cublas",
     "cutlass_80_tensorop_s1688gemm_128x128_16x5_nn_align4", "ampere_sgemm_128x64_nn",
     "ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_64x4_nn", "volta_sgemm_32x128_tn",
     "void cutlass::Kernel2<cutlass_80_simt_sgemm_128x128_8x4_nn_align1>("
     "cutlass_80_simt_sgemm_128x128_8x4_nn_align1::Params)",
     "_ZN8cublasLt8epilogue4impl22globalKernelBgradAB_v2ILi8ELi128EfffEEviiiPKT1_iPT2_ll",
     "void splitKreduce_kernel<32, 16, int, float, float, float, float, true, false, false>("
     "cublasSplitKParams<float>, float const*)",
     "_Z13gemv2N_kernelIii6float2S0_S0_S0_Li128ELi4ELi4ELi4ELi11ELb1E18cublasGemvParamsExIi30"
     "cublasGemvTensorStridedBatchedIKS0_ES4_S2_IS0_ES0_EEvT11_",
     "void gemvNSP_kernel<float, float, float, float, 1, 32, 4, 1024, false, "
     "cublasGemvParamsEx<int, cublasGemvTensorStridedBatched<float const>, "
     "cublasGemvTensorStridedBatched<float const>, cublasGemvTensorStridedBatched<float>, "
     "float> >(cublasGemvParamsEx<int>)",
     "void dot_kernel<float, 128, 0, cublasDotParams<cublasGemvTensor<float const>, "
     "cublasGemvTensorStridedBatched<float> > >(cublasDotParams<cublasGemvTensor<float const> >)"});
}

TEST(author_by_name, convolutions_transforms_attention_and_collectives_are_a_librarys) {
  expect_all(
    kernel_author::library,
    {"sm90_xmma_fprop_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x128x32_"
     "warpgroupsize1x1x1_g1_execute_segment_k_off_kernel__5x_cudnn",
     "void cudnn::winograd_nonfused::winogradForwardData4x4<float, float>(cudnn::winograd_nonfused"
     "::WinogradDataParams<float, float>)",
     "void cudnn::bn_fw_inf_1C11_kernel_NCHW<float, float, true, 1>(float)",
     "_Z24op_generic_tensor_kernelILi3E13__nv_bfloat16fS0_Li256EL16cudnnGenericOp_t4EL21"
     "cudnnNanPropagation_t0ELi0EEv17cudnnTensorStructPT2_S3_PKT0_S3_S8_T1_",
     "void implicit_convolve_sgemm<float, float, 1024, 5, 5, 3, 3, 3, 1, false, false, true>(int)",
     "maxwell_scudnn_128x64_relu_interior_nn_v1",
     "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7_64x128x128_4x1x1_kernel0_"
     "0",
     "void vector_fft<64u, EPT<8u>, 256u, (padding_t)0, "
     "(twiddle_t)0>(kernel_arguments_t<unsigned>)",
     "void regular_fft<1024u, EPT<16u>, 4u>(kernel_arguments_t<unsigned int>)",
     "_ZN13pytorch_flash16flash_fwd_kernelI23Flash_fwd_kernel_traitsILi64ELi128ELi128ELi4EEEEvNS_16"
     "Flash_fwd_paramsE",
     "fmha_cutlassF_f32_aligned_64x64_rf_sm80(PyTorchMemEffAttention::AttentionKernel<float>)",
     "_Z39fmha_cutlassF_f32_aligned_64x64_rf_sm80v", "ncclDevKernel_AllReduce_Sum_f32_RING_LL",
     "void cusparse::csrmm_kernel<float>(float)"});
}

TEST(author_by_name, torchs_kernels_are_the_frameworks) {
  expect_all(
    kernel_author::framework,
    {"void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, "
     "std::array<char*, 1ul> >(int, at::native::FillFunctor<float>, std::array<char*, 1ul>)",
     "_ZN2at6native29vectorized_elementwise_kernelILi4ENS0_15CUDAFunctor_"
     "addIfEESt5arrayIPcLm3EEEEvi"
     "T0_T1_",
     "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float>(float*)",
     "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float> >(at::native::ReduceOp)",
     "void (anonymous namespace)::softmax_warp_forward<float, float, float, 8, false, "
     "false>(float*)",
     "void (anonymous namespace)::elementwise_kernel_with_index<int, at::native::arange>(int)",
     "void at_cuda_detail::cub::DeviceScanKernel<at_cuda_detail::cub::Policy>(float const*)"});
}

TEST(author_by_name, what_is_unknown_is_the_candidates_own) {
  expect_all(kernel_author::own, {"triton_poi_fused_add_tanh_0",
                                  "triton_red_fused__softmax_1",
                                  "triton_tem_fused_mm_0",
                                  "_Z11gate_kernelPKfS0_Pfi",
                                  "gate_kernel(float const*, float const*, float*, int)",
                                  "matmul_kernel",
                                  "reduce_kernel",
                                  "softmax",
                                  "fused_cublas_epilogue",
                                  "my_fft",
                                  "ampere_friendly_softmax",
                                  "sm90_fused_mlp",
                                  "cutlass_like_gemm",
                                  "flash_attention",
                                  "kernel_cutlass_kernel_flash_attn_fwd_0",
                                  "void deep_gemm::sm90_fp8_gemm_1d2d_impl<1>()",
                                  "void my_kernel<at::Half>(at::Half*)",
                                  "_Z",
                                  "",
                                  "void ",
                                  "("});
}
