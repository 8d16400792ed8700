// Control flow that is hard to translate: indirect branches, calls, unpredictable conditions.
#include "kernel.h"

#include <cstdlib>
#include <memory>
#include <vector>

namespace {

// A small stack machine: counts down from 20000, mixing values.
enum Op : unsigned char { kPush, kAdd, kXor, kDup, kSwap, kDec, kShift, kLoop, kEnd };
const unsigned char kProgram[] = {kPush, 3,    kAdd,  kDup,  kShift, kXor,
                                  kSwap, kDec, kSwap, kLoop, kEnd};

} // namespace

extern "C" uint64_t switch_interpreter(uint64_t rounds) {
    uint64_t sum = 0;
    while (rounds-- > 0) {
        uint64_t top = rounds, second = 20000;
        const unsigned char *pc = kProgram;
        for (bool running = true; running;) {
            switch (*pc++) {
            case kPush: top += *pc++; break;
            case kAdd: top += second; break;
            case kXor: top ^= second << 5; break;
            case kDup: top += top >> 3; break;
            case kSwap: {
                const uint64_t t = top;
                top = second;
                second = t;
                break;
            }
            case kDec: --top; break;
            case kShift: top = (top << 3) | (top >> 61); break;
            case kLoop:
                if (second != 0) pc = kProgram;
                break;
            case kEnd: running = false; break;
            }
        }
        sum += top;
    }
    return sum;
}

extern "C" uint64_t goto_interpreter(uint64_t rounds) {
    static const void *const kLabels[] = {&&push, &&add,   &&exclusive, &&dup, &&swap,
                                          &&dec,  &&shift, &&loop,      &&end};
    uint64_t sum = 0;
    while (rounds-- > 0) {
        uint64_t top = rounds, second = 20000;
        const unsigned char *pc = kProgram;
#define NEXT goto *kLabels[*pc++]
        NEXT;
    push:
        top += *pc++;
        NEXT;
    add:
        top += second;
        NEXT;
    exclusive:
        top ^= second << 5;
        NEXT;
    dup:
        top += top >> 3;
        NEXT;
    swap: {
        const uint64_t t = top;
        top = second;
        second = t;
    }
        NEXT;
    dec:
        --top;
        NEXT;
    shift:
        top = (top << 3) | (top >> 61);
        NEXT;
    loop:
        if (second != 0) pc = kProgram;
        NEXT;
    end:
#undef NEXT
        sum += top;
    }
    return sum;
}

namespace {
__attribute__((noinline)) uint64_t fibonacci(unsigned n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

struct Shape {
    virtual ~Shape() = default;
    virtual uint64_t area(uint64_t x) const = 0;
};
struct Square final : Shape {
    uint64_t area(uint64_t x) const override { return x * x; }
};
struct Strip final : Shape {
    uint64_t area(uint64_t x) const override { return x * 3 + 1; }
};
struct Wedge final : Shape {
    uint64_t area(uint64_t x) const override { return x * x / 2; }
};
} // namespace

extern "C" uint64_t recursion(uint64_t rounds) {
    uint64_t sum = 0;
    while (rounds-- > 0) sum += fibonacci(27);
    return sum;
}

extern "C" uint64_t virtual_calls(uint64_t rounds) {
    std::vector<std::unique_ptr<Shape>> shapes;
    uint64_t seed = 5;
    for (int i = 0; i < 64; ++i) {
        switch (next_random(&seed) % 3) {
        case 0: shapes.push_back(std::make_unique<Square>()); break;
        case 1: shapes.push_back(std::make_unique<Strip>()); break;
        default: shapes.push_back(std::make_unique<Wedge>()); break;
        }
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; ++i) sum += shapes[i & 63]->area(i & 0xff);
    return sum;
}

extern "C" uint64_t sort_callbacks(uint64_t rounds) {
    static uint32_t values[20000];
    uint64_t seed = 11, sum = 0;
    while (rounds-- > 0) {
        for (uint32_t &v : values) v = static_cast<uint32_t>(next_random(&seed));
        std::qsort(values, 20000, sizeof values[0], [](const void *a, const void *b) {
            const uint32_t x = *static_cast<const uint32_t *>(a),
                           y = *static_cast<const uint32_t *>(b);
            return x < y ? -1 : x > y ? 1 : 0;
        });
        sum += values[777];
    }
    return sum;
}

extern "C" uint64_t state_machine(uint64_t rounds) {
    static char text[16384];
    uint64_t seed = 3, tokens = 0;
    for (char &c : text) c = " \t\nabcdefghij0123456789+-*/\"'"[next_random(&seed) % 29];
    while (rounds-- > 0) {
        enum { kSpace, kWord, kNumber, kString } state = kSpace;
        for (const char c : text) {
            switch (state) {
            case kSpace:
                if (c >= 'a')
                    state = kWord;
                else if (c >= '0' && c <= '9')
                    state = kNumber;
                else if (c == '"')
                    state = kString;
                else
                    tokens += c == '+';
                break;
            case kWord:
                if (c < '0') state = kSpace, tokens += 3;
                break;
            case kNumber:
                if (c >= 'a')
                    state = kWord;
                else if (c < '0')
                    state = kSpace, tokens += 5;
                break;
            case kString:
                if (c == '"' || c == '\n') state = kSpace, tokens += 7;
                break;
            }
        }
    }
    return tokens;
}
