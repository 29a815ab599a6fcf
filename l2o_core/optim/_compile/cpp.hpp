// The functions of PyTorch that update rules use, by name, for the loops that cpp.py writes.
//
// Plain scalar code without branches, which compilers turn into vector instructions. In float32, exp, log and
// tanh are polynomials and a quotient of polynomials (errors below 3 units in the last place); calls to a
// library would keep a loop from being vectorised. In float64, and for rare functions, the library's are used.
#pragma once

#define __FAST_MATH__ 1  // glibc then declares the vector versions that it has of the other functions
#include <cmath>
#undef __FAST_MATH__
#include <cstdint>
#include <cstring>

inline int32_t bits(float x) {
  int32_t i;
  std::memcpy(&i, &x, 4);
  return i;
}
inline float from_bits(int32_t i) {
  float x;
  std::memcpy(&x, &i, 4);
  return x;
}

// types that numbers are stored in; not all compilers know the half types
using float32 = float;
using float64 = double;
enum class bfloat16 : uint16_t {};  // the upper half of a float32
enum class float16 : uint16_t {};   // sign, 5 bits of exponent from 2^-14 on, 10 of the fraction

inline float load(bfloat16 x) { return from_bits(int32_t(uint32_t(x) << 16)); }
inline float load(float16 x) {
  const int32_t sign = (int32_t(x) & 0x8000) << 16;
  const float magnitude = from_bits((int32_t(x) & 0x7fff) << 13) * 0x1p112f;
  return from_bits(sign | bits(magnitude) | (magnitude < 65536.0f ? 0 : 0x7f800000));
}
template <class T> T load(T x) { return x; }

// to the nearest, ties to even
inline void store(bfloat16& to, float x) {
  const uint32_t u = uint32_t(bits(x));
  to = bfloat16(x == x ? (u + 0x7fff + (u >> 16 & 1)) >> 16 : 0x7fc0);
}
inline void store(float16& to, float x) {
  const int32_t u = bits(x) & 0x7fffffff;
  const int32_t normal = (u + 0xfff + (u >> 13 & 1) - (112 << 23)) >> 13;
  const int32_t tiny = bits(from_bits(u) + 0.5f) - bits(0.5f);  // below 2^-14
  const int32_t finite = u < 113 << 23 ? tiny : normal;
  const int32_t magnitude = u < 0x477ff000 ? finite : u <= 0x7f800000 ? 0x7c00 : 0x7e00;  // 65520 is infinite
  to = float16(magnitude | (bits(x) >> 16 & 0x8000));
}
template <class T, class W> void store(T& to, W x) { to = T(x); }

namespace rule {

template <class W> W add(W x, W y) { return x + y; }
template <class W> W sub(W x, W y) { return x - y; }
template <class W> W mul(W x, W y) { return x * y; }
template <class W> W truediv(W x, W y) { return x / y; }
template <class W> W neg(W x) { return -x; }
template <class W> W clone(W x) { return x; }
template <class W> W zeros_like(W) { return W(0); }
template <class W> W square(W x) { return x * x; }
template <class W> bool lt(W x, W y) { return x < y; }
template <class W> bool gt(W x, W y) { return x > y; }
template <class W> bool eq(W x, W y) { return x == y; }
template <class W> bool ne(W x, W y) { return x != y; }
template <class W> bool isnan(W x) { return x != x; }
template <class W> W where(bool yes, W x, W y) { return yes ? x : y; }

// NaN propagates
template <class W> W sign(W x) { return x != x ? x : W(x > 0) - W(x < 0); }
template <class W> W relu(W x) { return x < 0 ? W(0) : x; }
template <class W> W clamp_min(W x, W low) { return x < low ? low : x; }
template <class W> W clamp_max(W x, W high) { return x > high ? high : x; }
template <class W> W minimum(W x, W y) { return (x < y || x != x) ? x : y; }
template <class W> W maximum(W x, W y) { return (x > y || x != x) ? x : y; }

template <class W> W copysign(W x, W y) { return std::copysign(x, y); }
template <class W> W abs(W x) { return std::abs(x); }
template <class W> W sqrt(W x) { return std::sqrt(x); }
template <class W> W pow(W x, W y) { return std::pow(x, y); }
template <class W> W asinh(W x) { return std::asinh(x); }
template <class W> W sinh(W x) { return std::sinh(x); }
template <class W> W erfc(W x) { return std::erfc(x); }
template <class W> W cos(W x) { return std::cos(x); }
template <class W> W sin(W x) { return std::sin(x); }
inline double exp(double x) { return std::exp(x); }
inline double log(double x) { return std::log(x); }
inline double tanh(double x) { return std::tanh(x); }

// x y + z, of approximations only: fused where the processor can, which compilers may not decide (build.py)
inline float fused(float x, float y, float z) {
#ifdef __FP_FAST_FMAF
  return __builtin_fmaf(x, y, z);
#else
  return x * y + z;
#endif
}

// c0 + c1 x + c2 x^2 + ...
inline float polynomial(float, float c) { return c; }
template <class... Rest> float polynomial(float x, float c, Rest... rest) {
  return fused(polynomial(x, rest...), x, c);
}

constexpr float LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;

// e^x = 2^n e^r, r within ln(2) / 2 of 0; results below the normal numbers are 0
inline float exp(float x) {
  constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: adding it leaves an integer in the last bits
  const float shifted = fused(x, 1.44269504f, ROUND);
  const float n = shifted - ROUND;
  const float r = fused(-n, LN2_LOW, fused(-n, LN2_HIGH, x));
  const float q = polynomial(r, 0.49999994f, 0.1666652f, 0.041668393f, 0.008368781f, 0.0013814482f);
  const uint32_t exponent = uint32_t(bits(shifted) - bits(ROUND)) + 126;
  const float y = (fused(q * r, r, r) + 1.0f) * from_bits(int32_t(exponent << 23)) * 2.0f;
  return x > 88.72283f ? HUGE_VALF : x < -86.6f ? 0.0f : y;
}

// log x = n ln(2) + log(1 + f), 1 + f within a factor sqrt(2) of 1; for normal numbers x > 0,
// others do not occur: rules take it of |x|, at least 2^-126
inline float log(float x) {
  constexpr int32_t SQRT_HALF = 0x3f3504f3;
  const int32_t above = bits(x) - SQRT_HALF;
  const float n = float(above >> 23);
  const float f = from_bits((above & 0x7fffff) + SQRT_HALF) - 1.0f;
  const float q = polynomial(f, 0.3333333f, -0.25000823f, 0.20001227f, -0.16623355f, 0.14201762f, -0.131602f,
                             0.12761556f, -0.076344185f);
  const float y = fused(n, LN2_LOW, f * f * fused(q, f, -0.5f));
  return x <= 3.4028235e38f ? fused(n, LN2_HIGH, y + f) : x;
}

// x P(x^2) / Q(x^2), or 1 from where that can round to more
inline float tanh(float x) {
  const float y = x * x;
  const float p = polynomial(y, 1.0f, 0.13379718f, 0.0034940348f, 2.0583485e-05f, 1.3319076e-08f);
  const float q = polynomial(y, 1.0f, 0.46713033f, 0.025871074f, 0.00032830934f, 7.7620217e-07f);
  return y > 64.0f ? std::copysign(1.0f, x) : x * p / q;
}

}  // namespace rule
