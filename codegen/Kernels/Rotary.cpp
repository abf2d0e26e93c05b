//===- Rotary.cpp - rope_table, rope and the rotation ---------------------===//
#include "codegen/Kernels/Rotary.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

namespace {

struct SineCosine {
  Expression sine, cosine;
};

} // namespace

/// Sine and cosine of x with 0 <= x < 2^18, error below 3e-7 absolute
/// on any device: only products that are exact in f32 are subtracted, so
/// nothing depends on fused multiply-add or on the device's sine.
///
/// x = n pi/2 + r. pi/2 is split into three parts of 15 bits, n (18 bits) into
/// two of 9 bits, so every product has at most 24 bits.
static SineCosine buildSineCosine(Expression x) {
  constexpr double parts[] = {0x1.922p+0, -0x1.2afp-18, 0x1.0b48p-34};
  Expression n = roundEven(x * 0.63661977236758134308);
  Expression high = roundEven(n * (1.0 / 512)) * 512, low = n - high;
  Expression r = x;
  for (double part : parts)
    r = (r - high * part) - low * part;

  // Taylor series; on [-pi/4, pi/4] the remainders are below 3e-8.
  Expression r2 = r * r;
  Expression s =
      r + r * r2 *
              (-1.0 / 6 +
               r2 * (1.0 / 120 + r2 * (-1.0 / 5040 + r2 * (1.0 / 362880))));
  Expression c =
      1 +
      r2 * (-0.5 + r2 * (1.0 / 24 + r2 * (-1.0 / 720 + r2 * (1.0 / 40320))));

  Expression quadrant = toI32(n) & 3;
  Expression swap = (quadrant & 1) == 1;
  Expression sine = select(swap, c, s), cosine = select(swap, s, c);
  // Quadrants 2 and 3 negate the sine, 1 and 2 the cosine.
  Expression sineSign = (quadrant & 2) << 30;
  Expression cosineSign = ((quadrant + 1) & 2) << 30;
  return {floatOf(bitsOf(sine) ^ sineSign),
          floatOf(bitsOf(cosine) ^ cosineSign)};
}

/// rope_table with a number of frequencies that is no multiple of 8.
static Status buildScalarRopeTable(KernelBuilder &k, double factor) {
  InputBuffer positions = k.getInput("positions"),
              frequencies = k.getScalarInput("inverse_frequencies");
  OutputBuffer out = k.getRunOutput("out", 1);
  int64_t count = k.dim("F");
  return buildPerItem(
      k, k.dim("T"), count, [&](Expression token, Expression item) {
        Expression position = toF32(positions.read(token));
        SineCosine a = buildSineCosine(frequencies.read(item) * position);
        Expression base = token * double(2 * count) + item;
        out.writeRun(base, {a.cosine * factor});
        out.writeRun(base + double(count), {a.sine * factor});
      });
}

Status quern::buildRopeTable(KernelBuilder &k) {
  QUERN_ASSIGN_OR_RETURN(double factor, k.getFloat("attention_factor"));
  if (k.dim("RD") != 2 * k.dim("F"))
    return invalidArgument("the table has " + std::to_string(k.dim("RD")) +
                           " entries per token for " +
                           std::to_string(k.dim("F")) + " frequencies");
  if (k.dim("F") % 8 != 0)
    return buildScalarRopeTable(k, factor);
  InputBuffer positions = k.getInput("positions"),
              frequencies = k.getInput("inverse_frequencies");
  OutputBuffer out = k.getOutput("out");
  int64_t octets = k.dim("F") / 8;
  return buildPerOctet(
      k, k.dim("T"), k.dim("F"), [&](Expression token, Expression octet) {
        Expression position = toF32(positions.read(token));
        Octet angles =
            mapOctet([&](Expression frequency) { return frequency * position; },
                     frequencies.readOctet(octet));
        SineCosine a = buildSineCosine(angles.a), b = buildSineCosine(angles.b);
        Expression base = token * double(2 * octets) + octet;
        out.writeOctet(base, {a.cosine * factor, b.cosine * factor});
        out.writeOctet(base + double(octets),
                       {a.sine * factor, b.sine * factor});
      });
}

Status quern::checkRotary(const KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "D", 8));
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "RD", 2));
  if (k.dim("RD") <= k.dim("D"))
    return Status::ok();
  return invalidArgument("the rotary table has " + std::to_string(k.dim("RD")) +
                         " entries for heads of " + std::to_string(k.dim("D")) +
                         " elements");
}

static bool hasOctetPartners(const KernelBuilder &k) {
  return k.dim("RD") % 16 == 0;
}

InputBuffer quern::getRotaryTable(KernelBuilder &k) {
  return hasOctetPartners(k) ? k.getInput("table") : k.getScalarInput("table");
}

/// The 8 elements that begin `elements` (which may be negative) behind the
/// first of octet number `octet`, in linear order. Octets outside of the head
/// are replaced by its last.
static Octet readShifted(KernelBuilder &k, Expression octet, int64_t elements,
                         llvm::function_ref<Octet(Expression)> read) {
  int64_t shift = (elements % 8 + 8) % 8, octets = (elements - shift) / 8;
  Expressions parts; // Vectors of two neighbouring octets.
  for (int64_t i = 0; i != (shift == 0 ? 1 : 2); ++i) {
    int64_t at = octets + i;
    Expression index = at < 0 ? octet - double(-at) : octet + double(at);
    // A negative index has wrapped around, so one limit serves both ends.
    index = min(index, k.index(k.dim("D") / 8 - 1));
    Octet part = k.reorder(read(index), OctetOrder::Linear);
    parts.append({part.a, part.b});
  }
  if (shift == 0)
    return {parts[0], parts[1], OctetOrder::Linear};
  int64_t first = shift / 4, in = shift % 4;
  auto take = [&](int64_t at) {
    return in == 0 ? parts[at]
                   : shuffle(parts[at], parts[at + 1],
                             {in, in + 1, in + 2, in + 3});
  };
  return {take(first), take(first + 1), OctetOrder::Linear};
}

/// The rotation for any even RD, element by element.
static Octet buildScalarRotation(KernelBuilder &k, const InputBuffer &table,
                                 Expression token, Expression octet,
                                 llvm::function_ref<Octet(Expression)> read) {
  int64_t rotary = k.dim("RD"), half = rotary / 2;
  Octet own = k.reorder(read(octet), OctetOrder::Linear);
  Octet later = readShifted(k, octet, half, read);
  Octet earlier = readShifted(k, octet, -half, read);
  Expressions results;
  for (unsigned i = 0; i != 8; ++i) {
    auto at = [&](const Octet &from) {
      return (i < 4 ? from.a : from.b)[i % 4];
    };
    Expression element = octet * 8 + double(i);
    Expression isSecond = element >= double(half);
    Expression pair = min(select(isSecond, element - double(half), element),
                          k.index(half - 1));
    Expression entry = token * double(rotary) + pair;
    Expression cosine = table.read(entry),
               sine = table.read(entry + double(half));
    Expression partner = select(isSecond, at(earlier), 0 - at(later));
    results.push_back(select(element < double(rotary),
                             at(own) * cosine + partner * sine, at(own)));
  }
  llvm::ArrayRef<Expression> all = results;
  return {quern::vector(all.take_front(4)), quern::vector(all.drop_front(4)),
          OctetOrder::Linear};
}

Octet quern::buildRotation(KernelBuilder &k, const InputBuffer &table,
                           Expression token, Expression octet,
                           llvm::function_ref<Octet(Expression)> read) {
  if (!hasOctetPartners(k))
    return buildScalarRotation(k, table, token, octet, read);
  int64_t half = k.dim("RD") / 16, octets = k.dim("D") / 8;
  Octet own = k.reorder(read(octet), OctetOrder::Linear);
  Expression isSecond = octet >= double(half);
  Expression passes = octet >= double(2 * half);
  auto ifRotated = [&](Expression value, Expression otherwise) {
    return octets == 2 * half ? value : select(passes, otherwise, value);
  };
  Expression partner = ifRotated(
      select(isSecond, octet - double(half), octet + double(half)), octet);
  Expression entry =
      ifRotated(select(isSecond, octet - double(half), octet), k.index(0));
  Octet other = k.reorder(read(partner), OctetOrder::Linear);
  Expression base = token * double(2 * half) + entry;
  Octet cosine = table.readOctet(base);
  Octet sine = table.readOctet(base + double(half));
  auto rotate = [&](Expression x, Expression y, Expression c, Expression s) {
    return ifRotated(x * c + select(isSecond, y, 0 - y) * s, x);
  };
  return {rotate(own.a, other.a, cosine.a, sine.a),
          rotate(own.b, other.b, cosine.b, sine.b), OctetOrder::Linear};
}

Status quern::buildRope(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(checkRotary(k));
  InputBuffer x = k.getInput("x"), table = getRotaryTable(k);
  OutputBuffer out = k.getOutput("out");
  int64_t octets = k.dim("D") / 8, heads = k.dim("HEADS");
  return buildPerOctet(
      k, k.dim("T"), heads * k.dim("D"),
      [&](Expression token, Expression item) {
        Expression head = item / double(octets), octet = item % double(octets);
        Expression base = (token * double(heads) + head) * double(octets);
        out.writeOctet(
            base + octet,
            buildRotation(k, table, token, octet, [&](Expression at) {
              return x.readOctet(base + at);
            }));
      });
}
