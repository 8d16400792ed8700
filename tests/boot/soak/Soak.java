// Work for a Java virtual machine's compilers, collector and threads. Prints checksums only, so that
// two machines can be compared. Every task runs often enough to be compiled, and recompiled.
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Soak {
    interface Task {
        long run(int seed) throws Exception;
    }

    static long mix(long hash, long value) {
        return Long.rotateLeft(hash ^ value * 0x9E3779B97F4A7C15L, 27) * 5 + 0x52dce729;
    }

    static long sorting(int seed) {
        final Random random = new Random(seed);
        final int[] numbers = random.ints(20000).toArray();
        final Integer[] boxed = IntStream.of(numbers).boxed().toArray(Integer[]::new);
        Arrays.sort(numbers);
        Arrays.sort(boxed, (a, b) -> Integer.compare(b, a));
        final double[] fractions = random.doubles(20000).toArray();
        Arrays.parallelSort(fractions);
        long hash = seed;
        for (int i = 0; i < numbers.length; i += 7)
            hash = mix(mix(hash, numbers[i] - (long) boxed[i]), Double.doubleToLongBits(fractions[i]));
        return hash;
    }

    static long hashing(int seed) throws Exception {
        final byte[] bytes = new byte[50000];
        new Random(seed).nextBytes(bytes);
        long hash = seed;
        for (final String name : new String[] {"MD5", "SHA-1", "SHA-256", "SHA-512", "SHA3-256"})
            hash = mix(hash, new BigInteger(MessageDigest.getInstance(name).digest(bytes)).longValue());
        final CRC32 crc = new CRC32();
        crc.update(bytes);
        return mix(hash, crc.getValue());
    }

    static long compression(int seed) throws Exception {
        final byte[] text = words(seed, 4000).getBytes(StandardCharsets.UTF_8);
        final byte[] packed = new byte[text.length + 100];
        final Deflater deflater = new Deflater(6);
        deflater.setInput(text);
        deflater.finish();
        final int size = deflater.deflate(packed);
        deflater.end();
        final byte[] unpacked = new byte[text.length];
        final Inflater inflater = new Inflater();
        inflater.setInput(packed, 0, size);
        if (inflater.inflate(unpacked) != text.length || !Arrays.equals(text, unpacked))
            throw new IllegalStateException("inflate");
        inflater.end();
        return mix(size, Arrays.hashCode(packed));
    }

    static String words(int seed, int count) {
        final Random random = new Random(seed);
        final StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            for (int n = 1 + random.nextInt(8); n > 0; n--) text.append((char) ('a' + random.nextInt(26)));
            text.append(random.nextInt(10) == 0 ? ". " : random.nextInt(5) == 0 ? " " + random.nextInt(9999) + " " : " ");
        }
        return text.toString();
    }

    static final Pattern PATTERN = Pattern.compile("\\b([a-z]*([aeiou])[a-z]*\\2)\\b(?:\\s+(\\d{2,4}))?");

    static long regex(int seed) {
        final Matcher matcher = PATTERN.matcher(words(seed, 3000));
        long hash = seed;
        while (matcher.find())
            hash = mix(hash, matcher.group(1).hashCode() + (matcher.group(3) == null ? 0 : Integer.parseInt(matcher.group(3))));
        return hash;
    }

    /** Writes and reads a nested document. */
    static long json(int seed) {
        final Random random = new Random(seed);
        final List<Object> document = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            final Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("id", (double) random.nextInt(1 << 30));
            entry.put("ratio", random.nextGaussian());
            entry.put("name", words(random.nextInt(), 3));
            entry.put("list", new ArrayList<Object>(List.of(1.5, "x\"\\\n", true)));
            document.add(entry);
        }
        final String text = new JsonWriter().write(document);
        final Object read = new JsonReader(text).value();
        if (!read.equals(document)) throw new IllegalStateException("json");
        return mix(seed, text.hashCode());
    }

    static final class JsonWriter {
        private final StringBuilder out = new StringBuilder();

        String write(Object value) {
            put(value);
            return out.toString();
        }

        private void put(Object value) {
            if (value instanceof List<?> list) {
                out.append('[');
                String separator = "";
                for (final Object item : list) {
                    out.append(separator);
                    put(item);
                    separator = ",";
                }
                out.append(']');
            } else if (value instanceof Map<?, ?> map) {
                out.append('{');
                String separator = "";
                for (final Map.Entry<?, ?> entry : map.entrySet()) {
                    out.append(separator);
                    put(entry.getKey());
                    out.append(':');
                    put(entry.getValue());
                    separator = ",";
                }
                out.append('}');
            } else if (value instanceof String string) {
                out.append('"');
                for (final char c : string.toCharArray()) {
                    if (c == '"' || c == '\\') out.append('\\').append(c);
                    else if (c == '\n') out.append("\\n");
                    else out.append(c);
                }
                out.append('"');
            } else {
                out.append(value);
            }
        }
    }

    static final class JsonReader {
        private final String text;
        private int at;

        JsonReader(String text) {
            this.text = text;
        }

        Object value() {
            switch (text.charAt(at)) {
                case '[': {
                    final List<Object> list = new ArrayList<>();
                    while (text.charAt(at++) != ']') {
                        if (text.charAt(at) == ']') continue;
                        list.add(value());
                    }
                    return list;
                }
                case '{': {
                    final Map<String, Object> map = new LinkedHashMap<>();
                    while (text.charAt(at++) != '}') {
                        final String key = (String) value();
                        at++;
                        map.put(key, value());
                    }
                    return map;
                }
                case '"': {
                    final StringBuilder string = new StringBuilder();
                    for (at++; text.charAt(at) != '"'; at++) {
                        char c = text.charAt(at);
                        if (c == '\\') c = text.charAt(++at) == 'n' ? '\n' : text.charAt(at);
                        string.append(c);
                    }
                    at++;
                    return string.toString();
                }
                case 't': at += 4; return true;
                default: {
                    final int start = at;
                    while ("+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
                    return Double.parseDouble(text.substring(start, at));
                }
            }
        }
    }

    static long bigNumbers(int seed) {
        final Random random = new Random(seed);
        final BigInteger modulus = new BigInteger(512, random).setBit(0).setBit(511);
        BigInteger power = new BigInteger(512, random).modPow(new BigInteger(256, random), modulus);
        BigInteger factorial = BigInteger.ONE;
        for (int i = 2; i < 300; i++) factorial = factorial.multiply(BigInteger.valueOf(i));
        final BigInteger[] parts = factorial.divideAndRemainder(modulus);
        return mix(power.longValue(), parts[0].hashCode() * 31L + parts[1].hashCode() + factorial.toString().hashCode());
    }

    static final class Fault extends Exception {
        final int depth;

        Fault(int depth) {
            super("at " + depth);
            this.depth = depth;
        }
    }

    static int dive(int depth, int limit) throws Fault {
        if (depth == limit) throw new Fault(depth);
        try {
            return dive(depth + 1, limit) + 1;
        } finally {
            if (depth % 64 == 63) throw new Fault(depth);
        }
    }

    /** Thrown ones, and those that the machine raises by a signal: null, bounds, division, stack. */
    static long exceptions(int seed) {
        long hash = seed;
        for (int i = 0; i < 300; i++) {
            try {
                dive(0, 5 + (seed + i) % 80);
            } catch (Fault fault) {
                hash = mix(hash, fault.depth * 1000L + fault.getStackTrace().length);
            }
            final int[] array = (seed + i) % 3 == 0 ? null : new int[i % 7];
            try {
                hash = mix(hash, array[i % 11] + 5 / (i % 5));
            } catch (NullPointerException e) {
                hash = mix(hash, 1);
            } catch (ArrayIndexOutOfBoundsException e) {
                hash = mix(hash, 2);
            } catch (ArithmeticException e) {
                hash = mix(hash, 3);
            }
        }
        try {
            hash = mix(hash, endless(1));
        } catch (StackOverflowError e) {
            hash = mix(hash, 4);
        }
        return hash;
    }

    static long endless(long n) {
        return endless(n + 1) + 1;
    }

    /** Garbage of all ages. */
    static long collection(int seed) {
        final Random random = new Random(seed);
        final Map<Integer, List<String>> old = new HashMap<>();
        long hash = seed;
        for (int i = 0; i < 20000; i++) {
            final int key = random.nextInt(500);
            final List<String> list = old.computeIfAbsent(key, k -> new ArrayList<>());
            list.add("entry " + i + " of " + key);
            if (list.size() > 20) hash = mix(hash, old.remove(key).hashCode());
        }
        return mix(hash, new TreeMap<>(old).hashCode());
    }

    static long floats(int seed) {
        final int n = 48;
        final double[][] a = new double[n][n], b = new double[n][n];
        final Random random = new Random(seed);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                a[i][j] = random.nextGaussian();
                b[i][j] = random.nextDouble() * 1e-3;
            }
        long hash = seed;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double sum = 0;
                float small = 0;
                for (int k = 0; k < n; k++) {
                    sum = Math.fma(a[i][k], b[k][j], sum);
                    small += (float) a[i][k] * (float) b[k][j];
                }
                final double x = Math.sin(sum) + Math.exp(-Math.abs(sum)) + Math.pow(Math.abs(sum), 0.3) + Math.sqrt(Math.abs(small));
                hash = mix(hash, Double.doubleToLongBits(x) + Float.floatToIntBits(small) + (long) (x * 1e6) + Math.round(sum * 1e9));
            }
        return hash;
    }

    static long vectors(int seed) {
        final int[] x = new int[10000], y = new int[10000];
        final byte[] z = new byte[10000];
        for (int i = 0; i < x.length; i++) {
            x[i] = i * seed;
            y[i] = i ^ seed;
        }
        for (int i = 0; i < x.length; i++) x[i] = x[i] * 3 + (y[i] >> 2) - Math.max(x[i], y[i]);
        for (int i = 0; i < z.length; i++) z[i] = (byte) (x[i] + y[i]);
        int sum = 0;
        for (int i = 0; i < x.length; i++) sum += x[i] * y[i];
        return mix(sum, Arrays.hashCode(z) + Arrays.mismatch(x, y)) + LongStream.range(0, 1000).map(i -> i * i % 7).sum();
    }

    public static void main(String[] arguments) throws Exception {
        final int rounds = Integer.parseInt(arguments[0]);
        final Map<String, Task> tasks = new LinkedHashMap<>();
        tasks.put("sorting", Soak::sorting);
        tasks.put("hashing", Soak::hashing);
        tasks.put("compression", Soak::compression);
        tasks.put("regex", Soak::regex);
        tasks.put("json", Soak::json);
        tasks.put("bigNumbers", Soak::bigNumbers);
        tasks.put("exceptions", Soak::exceptions);
        tasks.put("collection", Soak::collection);
        tasks.put("floats", Soak::floats);
        tasks.put("vectors", Soak::vectors);

        // All tasks at once on several threads; the sum does not depend on their order.
        final Map<String, AtomicLong> sums = new ConcurrentHashMap<>();
        final ReentrantLock lock = new ReentrantLock();
        final long[] guarded = {0};
        final ExecutorService pool = Executors.newFixedThreadPool(4);
        final List<Future<?>> running = new ArrayList<>();
        for (int round = 0; round < rounds; round++)
            for (final Map.Entry<String, Task> task : tasks.entrySet()) {
                final int seed = round * 31 + 7;
                running.add(pool.submit(() -> {
                    final long value = task.getValue().run(seed);
                    sums.computeIfAbsent(task.getKey(), k -> new AtomicLong()).addAndGet(value);
                    lock.lock();
                    try {
                        guarded[0] += value & 0xff;
                    } finally {
                        lock.unlock();
                    }
                    return null;
                }));
            }
        for (final Future<?> future : running) future.get();
        pool.shutdown();
        for (final String name : tasks.keySet()) System.out.printf("java %s %016x%n", name, sums.get(name).get());
        System.out.printf("java guarded %d%n", guarded[0]);
    }
}
