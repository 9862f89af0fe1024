#include "tutti/tensor/decode.h"

#include "tutti/base/check.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/decode_blocks.h"
#include "tutti/tensor/row_scales.h"

namespace tutti::tensor {
namespace {

template <typename T>
T Load(const std::byte* data, int64_t i) {
  T value;
  std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// Number i of a run of plain numbers. A byte means itself here.
float PlainNumber(DType dtype, const std::byte* data, int64_t i) {
  switch (dtype) {
    case DType::kF64:
      return static_cast<float>(Load<double>(data, i));
    case DType::kF32:
      return Load<float>(data, i);
    case DType::kF16:
      return F16ToFloat(Load<uint16_t>(data, i));
    case DType::kBF16:
      return BF16ToFloat(Load<uint16_t>(data, i));
    case DType::kF8E4M3:
      return E4M3ToFloat(Load<uint8_t>(data, i));
    case DType::kF8E5M2:
      return E5M2ToFloat(Load<uint8_t>(data, i));
    case DType::kI64:
      return static_cast<float>(Load<int64_t>(data, i));
    case DType::kI32:
      return static_cast<float>(Load<int32_t>(data, i));
    case DType::kI16:
      return static_cast<float>(Load<int16_t>(data, i));
    case DType::kI8:
      return static_cast<float>(Load<int8_t>(data, i));
    case DType::kU8:
      return static_cast<float>(Load<uint8_t>(data, i));
    case DType::kBool:
      return Load<uint8_t>(data, i) == 0 ? 0.0f : 1.0f;
    default:
      break;
  }
  CheckFailed(__FILE__, __LINE__, "dtype", "not a plain number");
}

void DecodePlain(const WeightView& w, int64_t row, const std::byte* data, std::span<float> out) {
  switch (w.dtype) {
    case DType::kF32:
      std::memcpy(out.data(), data, out.size_bytes());
      break;
    default:
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = PlainNumber(w.dtype, data, static_cast<int64_t>(i));
      }
  }
  if (w.scales == nullptr) return;
  ForEachScale(ScalesOfRow(w, row), w.cols, [&](int64_t begin, int64_t end, float scale) {
    for (int64_t c = begin; c < end; ++c) out[static_cast<size_t>(c)] *= scale;
  });
}

// compressed-tensors "pack-quantized": nibble c % 8 of word c / 8, moved by 8.
void DecodeInt4Packed(const WeightView& w, int64_t row, const std::byte* data, float* out) {
  ForEachScale(ScalesOfRow(w, row), w.cols, [&](int64_t begin, int64_t end, float scale) {
    for (int64_t c = begin; c < end; ++c) {
      const int byte = Load<uint8_t>(data, c / 2);  // words are little-endian
      const int q = (byte >> (c % 2 * 4)) & 0xf;
      out[c] = static_cast<float>(q - 8) * scale;
    }
  });
}

// gpt-oss: value c is nibble c % 2 of byte c / 2. (GGUF's MXFP4 has other nibbles side by side.)
void DecodeMXFP4Split(const WeightView& w, int64_t row, const std::byte* data, float* out) {
  ForEachScale(ScalesOfRow(w, row), w.cols, [&](int64_t begin, int64_t end, float scale) {
    for (int64_t c = begin; c < end; ++c) {
      const int byte = Load<uint8_t>(data, c / 2);
      const size_t code = static_cast<size_t>((byte >> (c % 2 * 4)) & 0xf);
      out[c] = 0.5f * static_cast<float>(kDoubledE2M1[code]) * scale;
    }
  });
}

using BlockDecoder = void (*)(const std::byte* data, int64_t count, float* out);

// Null for formats that are not GGUF blocks.
BlockDecoder BlockDecoderOf(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return DecodeQ4_0;
    case DType::kQ4_1:
      return DecodeQ4_1;
    case DType::kQ5_0:
      return DecodeQ5_0;
    case DType::kQ5_1:
      return DecodeQ5_1;
    case DType::kQ8_0:
      return DecodeQ8_0;
    case DType::kQ2_K:
      return DecodeQ2_K;
    case DType::kQ3_K:
      return DecodeQ3_K;
    case DType::kQ4_K:
      return DecodeQ4_K;
    case DType::kQ5_K:
      return DecodeQ5_K;
    case DType::kQ6_K:
      return DecodeQ6_K;
    case DType::kIQ4_NL:
      return DecodeIQ4_NL;
    case DType::kIQ4_XS:
      return DecodeIQ4_XS;
    case DType::kMXFP4:
      return DecodeMXFP4;
    case DType::kNVFP4:
      return DecodeNVFP4;
    case DType::kIQ1_S:
      return DecodeIQ1_S;
    case DType::kIQ1_M:
      return DecodeIQ1_M;
    case DType::kIQ2_XXS:
      return DecodeIQ2_XXS;
    case DType::kIQ2_XS:
      return DecodeIQ2_XS;
    case DType::kIQ2_S:
      return DecodeIQ2_S;
    case DType::kIQ3_XXS:
      return DecodeIQ3_XXS;
    case DType::kIQ3_S:
      return DecodeIQ3_S;
    case DType::kTQ1_0:
      return DecodeTQ1_0;
    case DType::kTQ2_0:
      return DecodeTQ2_0;
    default:
      return nullptr;
  }
}

}  // namespace

float RowScales::At(int64_t block) const {
  if (dtype == DType::kU8) return E8M0ToFloat(Load<uint8_t>(data, block));
  return PlainNumber(dtype, data, block);
}

RowScales ScalesOfRow(const WeightView& w, int64_t row) {
  TUTTI_CHECK(w.scales != nullptr, "this format needs scales");
  TUTTI_CHECK(w.scale_block_rows > 0 && w.scale_block_cols > 0, "scales need a block size");
  return {w.scales + row / w.scale_block_rows * w.scale_row_stride_bytes, w.scale_dtype,
          w.scale_block_cols};
}

void DecodeRow(const WeightView& w, int64_t row, std::span<float> out) {
  TUTTI_CHECK(0 <= row && row < w.rows, "row outside the matrix");
  TUTTI_CHECK(out.size() == static_cast<size_t>(w.cols), "out must hold one row");
  const std::byte* data = w.data + row * w.row_stride_bytes;
  if (const BlockDecoder decoder = BlockDecoderOf(w.dtype); decoder != nullptr) {
    const int64_t block_size = InfoOf(w.dtype).block_size;
    TUTTI_CHECK(w.cols % block_size == 0, "a row must consist of whole blocks");
    decoder(data, w.cols / block_size, out.data());
  } else if (w.dtype == DType::kInt4Packed) {
    DecodeInt4Packed(w, row, data, out.data());
  } else if (w.dtype == DType::kMXFP4Split) {
    DecodeMXFP4Split(w, row, data, out.data());
  } else {
    DecodePlain(w, row, data, out);
  }
}

}  // namespace tutti::tensor
