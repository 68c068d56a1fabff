import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The courses of jobs, as bench/cases/ has them, for stores in Java: `NAME=VALUE` arguments say which, and one line of JSON on
 * standard output tells the figures. Time is kept in here, so that no pipe is part of what is measured.
 */
final class Course {
  interface Opener {
    JavaStore open(String directory, boolean isDurable) throws Exception;
  }

  private interface Work {
    void run() throws Exception;
  }

  /** A power of two, as in values.ts. */
  private static final int poolSize = 64;
  private static final int mostLookups = 400_000;
  private static final int scansAgain = 5;

  /** What values add up to is kept, so that no compiler leaves the reading out. */
  static int sink;

  private final Map<String, String> job = new HashMap<>();
  private final Map<String, Double> figures = new HashMap<>();
  private final JavaStore store;
  private final long messages;
  private final long warmupMessages;
  private final int messageBytes;
  private final int parameter;
  private double[] latenciesUs = new double[0];

  static void main(Opener opener, String[] arguments) throws Exception {
    Course course = new Course(opener, arguments);
    String unavailable = course.run();
    course.store.close();
    System.out.println(unavailable == null ? course.outcome() : "{\"unavailable\":\"" + unavailable + "\"}");
    System.out.flush();
    // Some stores leave threads behind that would keep the process.
    Runtime.getRuntime().halt(0);
  }

  private Course(Opener opener, String[] arguments) throws Exception {
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      job.put(argument.substring(0, equals), argument.substring(equals + 1));
    }
    messages = (long) number("messages");
    warmupMessages = (long) number("warmupMessages");
    messageBytes = (int) number("messageBytes");
    parameter = (int) number("parameter");
    store = opener.open(job.get("directory"), job.get("level").equals("disk"));
  }

  private double number(String name) {
    return Double.parseDouble(job.get(name));
  }

  /** Returns why the store takes no part, or null. */
  private String run() throws Exception {
    switch (job.get("kind")) {
      case "fill": fill(); return null;
      case "append": append(1); return null;
      case "threads": append(parameter); return null;
      case "latency": latency(); return null;
      case "in-flight": return inFlight() ? null : "no appends in flight";
      case "read": read(); return null;
      case "scan": if (parameter > 1) return "one thread visits a topic"; scan(); return null;
      case "get":
      case "get-many": lookups(); return null;
      case "follow": follow(); return null;
      default: return "no such case in Java";
    }
  }

  private void fill() throws Exception {
    appendAll(store.appender(), messages, values());
    store.settle(messages);
    figures.put("messages", (double) messages);
  }

  private void append(int threads) throws Exception {
    byte[][] values = values();
    appendFrom(threads, warmupMessages, values);
    long all = warmupMessages / threads * threads;
    store.settle(all);
    long share = messages / threads * threads;
    measure(share, () -> {
      appendFrom(threads, share, values);
      store.settle(all + share);
    });
    figures.put("nsPerMessage", figures.get("seconds") * 1e9 / share);
  }

  private void appendFrom(int threads, long count, byte[][] values) throws Exception {
    if (threads == 1) {
      appendAll(store.appender(), count, values);
      return;
    }
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread[] crew = new Thread[threads];
    for (int index = 0; index < threads; index++) {
      crew[index] = new Thread(() -> {
        try {
          appendAll(store.appender(), count / threads, values);
        } catch (Throwable error) {
          failure.set(error);
        }
      });
      crew[index].start();
    }
    for (Thread thread : crew) thread.join();
    if (failure.get() != null) throw new Exception(failure.get());
  }

  private static void appendAll(JavaStore.Appender appender, long count, byte[][] values) throws Exception {
    for (long index = 0; index < count; index++) appender.append(values[(int) index & poolSize - 1]);
  }

  /** One caller; each append is timed from the call to its return. */
  private void latency() throws Exception {
    byte[][] values = values();
    JavaStore.Appender appender = store.appender();
    warmUp(() -> appendAll(appender, warmupMessages, values));
    latenciesUs = new double[(int) messages];
    measure(messages, () -> {
      for (int index = 0; index < messages; index++) {
        long start = System.nanoTime();
        appender.append(values[index & poolSize - 1]);
        latenciesUs[index] = (System.nanoTime() - start) / 1e3;
      }
    });
  }

  /** A lone caller is a thread that appends one after the other; more of them are in flight where the store answers later. */
  private boolean inFlight() throws Exception {
    byte[][] values = values();
    if (parameter == 1) {
      JavaStore.Appender appender = store.appender();
      warmUp(() -> appendAll(appender, warmupMessages, values));
      measure(messages, () -> appendAll(appender, messages, values));
      return true;
    }
    if (!store.appendInFlight(Math.max(1, warmupMessages), parameter, values)) return false;
    warmUp(() -> store.appendInFlight(Math.max(1, warmupMessages), parameter, values));
    measure(messages, () -> store.appendInFlight(messages, parameter, values));
    return true;
  }

  private void read() throws Exception {
    warmUp(() -> readFrom(store.reader(), Math.max(1, warmupMessages)));
    measure(messages, () -> readFrom(store.reader(), messages));
  }

  private void readFrom(JavaStore.Reader reader, long count) throws Exception {
    long bytes = 0;
    for (long index = 0; index < count; index++) {
      byte[] value = reader.next();
      bytes += value.length;
      sink ^= value[0];
    }
    checkBytes(bytes, count);
  }

  private void scan() throws Exception {
    warmUp(() -> store.visitor().visit(Math.max(1, warmupMessages)));
    Work visit = () -> checkBytes(store.visitor().visit(messages), messages);
    measure(messages * scansAgain, () -> {
      for (int scans = 0; scans < scansAgain; scans++) visit.run();
    });
    figures.put("againMessagesPerSecond", figures.get("messagesPerSecond"));
    measure(messages, visit);
  }

  /** Several at once are looked up one by one: nobody here has a form of its own for that. */
  private void lookups() throws Exception {
    Random random = new Random();
    int count = (int) Math.min(messages, mostLookups);
    warmUp(() -> lookUp(random, count / 5 + 1));
    measure(count, () -> lookUp(random, count));
  }

  private void lookUp(Random random, int count) throws Exception {
    for (int index = 0; index < count; index++) {
      byte[] value = store.get((long) (random.nextDouble() * messages));
      if (value.length != messageBytes) throw new Exception("a lookup gave " + value.length + " bytes");
      sink ^= value[0];
    }
  }

  /** From the moment a message is due to append, to the moment a thread that follows has it. */
  private void follow() throws Exception {
    int rate = (int) number("ratePerSecond");
    int count = (int) (number("seconds") * rate);
    int warmup = (int) Math.ceil(Math.max(number("seconds") / 10, number("warmupSeconds")) * rate);
    // As fast as it goes, so that both sides are compiled before anything is timed.
    int before = Math.max(1, (int) Math.min(1_000_000, messages * 10));
    latenciesUs = new double[count];
    CountDownLatch done = new CountDownLatch(1);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread following = new Thread(() -> {
      try {
        JavaStore.Reader reader = store.follower();
        for (int index = -before - warmup; index < count; index++) {
          byte[] value;
          while ((value = reader.next()) == null) store.pause();
          long now = System.nanoTime();
          if (index >= 0) latenciesUs[index] = (now - ByteBuffer.wrap(value).getLong(0)) / 1e3;
        }
      } catch (Throwable error) {
        failure.set(error);
      }
      done.countDown();
    });
    following.setDaemon(true);
    following.start();
    JavaStore.Appender appender = store.appender();
    byte[] value = new byte[Math.max(8, messageBytes)];
    for (int index = 0; index < before; index++) appender.append(value);
    store.settle(before);
    sendOnSchedule(appender, value, warmup, rate);
    measure(count, () -> {
      sendOnSchedule(appender, value, count, rate);
      if (!done.await(60, TimeUnit.SECONDS)) throw new Exception("the follower is behind by a minute");
      if (failure.get() != null) throw new Exception(failure.get());
    });
  }

  private static void sendOnSchedule(JavaStore.Appender appender, byte[] value, int count, int rate) throws Exception {
    long step = 1_000_000_000L / rate;
    long start = System.nanoTime() + step;
    ByteBuffer words = ByteBuffer.wrap(value);
    for (int index = 0; index < count; index++) {
      long due = start + index * step;
      while (System.nanoTime() < due) Thread.onSpinWait();
      words.putLong(0, due);
      appender.append(value);
    }
  }

  /** At least once, and until the code has had the time to be compiled. */
  private void warmUp(Work pass) throws Exception {
    long start = System.nanoTime();
    pass.run();
    while ((System.nanoTime() - start) / 1e9 < number("warmupSeconds")) pass.run();
  }

  private void measure(long count, Work work) throws Exception {
    long cpu = cpuNs();
    long from = System.nanoTime();
    work.run();
    long to = System.nanoTime();
    double seconds = (to - from) / 1e9;
    figures.put("messages", (double) count);
    figures.put("bytes", (double) count * messageBytes);
    figures.put("messagesPerSecond", count / seconds);
    figures.put("bytesPerSecond", (double) count * messageBytes / seconds);
    figures.put("fromUs", from / 1e3);
    figures.put("toUs", to / 1e3);
    figures.put("seconds", seconds);
    figures.put("cpuNsPerMessage", (double) (cpuNs() - cpu) / count);
  }

  private static long cpuNs() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  private byte[][] values() {
    byte[][] values = new byte[poolSize][messageBytes];
    Random random = new Random();
    for (byte[] value : values) random.nextBytes(value);
    return values;
  }

  private void checkBytes(long bytes, long count) throws Exception {
    if (bytes != count * messageBytes) throw new Exception("read " + bytes + " bytes of " + count * messageBytes);
  }

  private String outcome() {
    StringBuilder line = new StringBuilder("{\"figures\":{");
    figures.forEach((name, value) -> {
      if (line.charAt(line.length() - 1) != '{') line.append(',');
      line.append('"').append(name).append("\":").append(String.format(Locale.ROOT, "%.3f", value));
    });
    String latencies = Arrays.toString(Arrays.stream(latenciesUs).map((us) -> Math.round(us * 10) / 10.0).toArray());
    return line.append("},\"latenciesUs\":").append(latencies).append('}').toString();
  }
}
