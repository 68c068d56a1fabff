import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.bytes.SyncMode;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueue;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.chronicle.threads.Pauser;
import net.openhft.chronicle.wire.DocumentContext;

/** Chronicle Queue as its documentation uses it: a document a message, an appender and a tailer a thread. */
final class ChronicleQueue implements JavaStore {
  private static final long blockBytes = 128L << 20;

  private final SingleChronicleQueue queue;
  private final boolean isDurable;
  private final Pauser pauser = Pauser.balanced();
  private ExcerptTailer getter;
  private long firstIndex;

  private ChronicleQueue(String directory, boolean isDurable) {
    this.isDurable = isDurable;
    SingleChronicleQueueBuilder builder = SingleChronicleQueueBuilder.binary(directory).blockSize(blockBytes);
    // Without it, sync() does nothing.
    if (isDurable) builder.syncMode(SyncMode.SYNC);
    queue = builder.build();
  }

  public static void main(String[] arguments) throws Exception {
    Course.main(ChronicleQueue::new, arguments);
  }

  @Override
  public Appender appender() {
    ExcerptAppender appender = queue.createAppender();
    return (value) -> {
      try (DocumentContext document = appender.writingDocument()) {
        document.wire().bytes().write(value);
      }
      if (isDurable) appender.sync();
    };
  }

  /** A document that is closed can be read. */
  @Override
  public void settle(long messages) {}

  @Override
  public Reader reader() {
    ExcerptTailer tailer = queue.createTailer().toStart();
    return () -> next(tailer);
  }

  @Override
  public Visitor visitor() {
    ExcerptTailer tailer = queue.createTailer().toStart();
    return (messages) -> {
      long sum = 0;
      for (long index = 0; index < messages; index++) {
        try (DocumentContext document = tailer.readingDocument()) {
          Bytes<?> bytes = document.wire().bytes();
          sum += bytes.readRemaining();
          Course.sink ^= bytes.readByte(bytes.readPosition());
        }
      }
      return sum;
    };
  }

  /** Indexes of one cycle are in sequence: a run is far shorter than the day that a cycle lasts. */
  @Override
  public byte[] get(long index) throws Exception {
    if (getter == null) {
      getter = queue.createTailer();
      firstIndex = queue.firstIndex();
    }
    if (!getter.moveToIndex(firstIndex + index)) throw new Exception("no message " + index);
    return next(getter);
  }

  @Override
  public Reader follower() {
    ExcerptTailer tailer = queue.createTailer().toStart();
    return () -> {
      byte[] value = next(tailer);
      if (value != null) pauser.reset();
      return value;
    };
  }

  @Override
  public void pause() {
    pauser.pause();
  }

  @Override
  public void close() {
    queue.close();
  }

  private static byte[] next(ExcerptTailer tailer) {
    try (DocumentContext document = tailer.readingDocument()) {
      if (!document.isPresent()) return null;
      Bytes<?> bytes = document.wire().bytes();
      byte[] value = new byte[(int) bytes.readRemaining()];
      bytes.read(value);
      return value;
    }
  }
}
