// Work for V8's compilers, collector and threads. Prints checksums only, so that two machines can be
// compared.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, workerData } = require('worker_threads');

const rounds = Number(process.argv[2] || 10);

/** xorshift32: Math.random has no seed. */
function generator(seed) {
    let x = seed | 1;
    return () => {
        x ^= x << 13;
        x ^= x >>> 17;
        x ^= x << 5;
        return x >>> 0;
    };
}

const mix = (hash, value) => Math.imul(((hash << 7) | (hash >>> 25)) ^ value, 0x9e3779b1) + 0x52dce729 | 0;
const hashText = (text) => crypto.createHash('sha256').update(text).digest().readInt32LE(0);

function words(random, count) {
    const out = [];
    for (let i = 0; i < count; i++) {
        let word = '';
        for (let n = 1 + random() % 8; n > 0; n--) word += String.fromCharCode(97 + random() % 26);
        out.push(random() % 6 === 0 ? String(random() % 9999) : word);
    }
    return out.join(' ');
}

class Shape {
    constructor(size) { this.size = size; }
    area() { return this.size; }
}
class Square extends Shape {
    area() { return this.size * this.size; }
}
class Circle extends Shape {
    area() { return Math.PI * super.area() ** 2; }
}

function* digits(n) {
    while (n > 0) {
        yield n % 10;
        n = Math.floor(n / 10);
    }
}

const tasks = {
    sorting(random) {
        const numbers = Array.from({ length: 5000 }, random);
        const texts = numbers.map(String).sort();
        numbers.sort((a, b) => a - b);
        const typed = Float64Array.from(numbers, (n) => Math.sqrt(n)).sort().reverse();
        return numbers.reduce((hash, n, i) => mix(hash, n ^ texts[i].length ^ (typed[i] * 1000)), 0);
    },
    hashing(random) {
        const bytes = Buffer.from(Uint32Array.from({ length: 5000 }, random).buffer);
        let hash = 0;
        for (const name of ['md5', 'sha1', 'sha256', 'sha512', 'sha3-256'])
            hash = mix(hash, crypto.createHash(name).update(bytes).digest().readInt32LE(0));
        const key = bytes.subarray(0, 32), iv = bytes.subarray(32, 44);
        const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
        const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
        return mix(mix(hash, sealed.readInt32LE(100)), cipher.getAuthTag().readInt32LE(0));
    },
    compression(random) {
        const text = words(random, 3000);
        const packed = zlib.deflateSync(text);
        if (zlib.inflateSync(packed).toString() !== text) throw new Error('inflate');
        return mix(packed.length, zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }).length);
    },
    regex(random) {
        let hash = 0;
        for (const match of words(random, 3000).matchAll(/\b([a-z]*([aeiou])[a-z]*\2)\b(?:\s+(?<number>\d{2,4}))?/g))
            hash = mix(hash, match[1].length * 100 + Number(match.groups.number || 0) + match.index);
        return hash;
    },
    json(random) {
        const document = Array.from({ length: 300 }, (_, i) => ({
            id: random(), ratio: random() / 7919, name: words(random, 3), list: [1.5, 'x"\\\n', true, null, { i }],
        }));
        const text = JSON.stringify(document);
        if (JSON.stringify(JSON.parse(text)) !== text) throw new Error('json');
        return hashText(text);
    },
    bigNumbers(random) {
        let modulus = 1n, base = 1n, result = 1n;
        for (let i = 0; i < 16; i++) {
            modulus = modulus << 32n | BigInt(random());
            base = base << 32n | BigInt(random());
        }
        for (let e = BigInt(random()); e > 0n; e >>= 1n) {
            if (e & 1n) result = result * base % modulus;
            base = base * base % modulus;
        }
        return hashText(result.toString());
    },
    exceptions(random) {
        const dive = (depth, limit) => {
            try {
                if (depth === limit) throw new RangeError(`at ${depth}`);
                return dive(depth + 1, limit) + 1;
            } finally {
                if (depth % 64 === 63) throw new TypeError('replaced'); // eslint-disable-line no-unsafe-finally
            }
        };
        let hash = 0;
        for (let i = 0; i < 100; i++) {
            try {
                dive(0, random() % 90);
            } catch (error) {
                hash = mix(hash, error.message.length + (error instanceof TypeError ? 1000 : 0));
            }
            try {
                hash = mix(hash, [null, { x: i }][i & 1].x);
            } catch {
                hash = mix(hash, 1);
            }
        }
        return hash;
    },
    collection(random) {
        const old = new Map();
        let hash = 0;
        for (let i = 0; i < 20000; i++) {
            const key = random() % 500;
            if (!old.has(key)) old.set(key, []);
            const list = old.get(key);
            list.push({ text: `entry ${i}`, key });
            if (list.length > 20) {
                hash = mix(hash, list.reduce((sum, { text }) => sum + text.length, 0));
                old.delete(key);
            }
        }
        return mix(hash, old.size);
    },
    floats(random) {
        const a = Float64Array.from({ length: 2304 }, () => random() / 2 ** 32 - 0.5);
        let hash = 0;
        for (let i = 0; i < 48; i++)
            for (let j = 0; j < 48; j++) {
                let sum = 0;
                for (let k = 0; k < 48; k++) sum += a[i * 48 + k] * a[k * 48 + j];
                const x = Math.sin(sum) + Math.exp(-Math.abs(sum)) + Math.pow(Math.abs(sum), 0.3) + Math.fround(sum);
                hash = mix(hash, (x * 1e9) | 0);
            }
        return hash;
    },
    objects(random) {
        const shapes = Array.from({ length: 3000 }, () => new [Shape, Square, Circle][random() % 3](random() % 100));
        let sum = 0;
        for (const shape of shapes) sum += shape.area();
        for (const shape of shapes) for (const digit of digits(Math.floor(shape.area()))) sum += digit;
        return (sum * 1000) | 0;
    },
    wasm(random) {
        // (func (param i32) (result i32)): xorshift in a loop of 20000, built by hand.
        const body = [
            1, 1, 0x7f, // a local
            0x41, 0xa0, 0x9c, 0x01, 0x21, 1, // = 20000
            0x03, 0x40, // loop
            0x20, 0, 0x20, 0, 0x41, 13, 0x74, 0x73, 0x22, 0, // x ^= x << 13
            0x41, 17, 0x76, 0x20, 0, 0x73, 0x22, 0, // x ^= x >>> 17
            0x41, 5, 0x74, 0x20, 0, 0x73, 0x21, 0, // x ^= x << 5
            0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x0d, 0, // while (--local != 0)
            0x0b, 0x20, 0, 0x0b,
        ];
        const code = [
            0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // header
            1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, // type
            3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, // function, export "f"
            10, body.length + 2, 1, body.length, ...body,
        ];
        const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(code)));
        return exports.f(random() | 1);
    },
};

function runAll(first) {
    const sums = {};
    for (const [name, task] of Object.entries(tasks)) {
        sums[name] = 0;
        for (let round = 0; round < rounds; round++)
            sums[name] = mix(sums[name], task(generator(first + round * 31 + 7)));
    }
    return sums;
}

if (isMainThread) {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    let left = 3;
    const results = [];
    for (let i = 0; i < 3; i++) {
        const worker = new Worker(__filename, { workerData: { shared, first: i * 1000 }, argv: [rounds] });
        worker.on('message', (sums) => { results[i] = sums; });
        worker.on('exit', (code) => {
            if (code !== 0) process.exitCode = 1;
            if (--left !== 0) return;
            for (const name of Object.keys(tasks))
                console.log(`node ${name} ${results.map((sums) => (sums[name] >>> 0).toString(16)).join(' ')}`);
            console.log(`node shared ${shared[0]}`);
        });
        worker.on('error', (error) => { throw error; });
    }
} else {
    const { shared, first } = workerData;
    const sums = runAll(first);
    for (let i = 0; i < 20000; i++) Atomics.add(shared, 0, 1);
    require('worker_threads').parentPort.postMessage(sums);
}
