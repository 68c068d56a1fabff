import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.GetMessageStatus;
import org.apache.rocketmq.store.MessageArrivingListener;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/** RocketMQ's message store (commit log and consume queue) in this process: no broker and no network in between. */
final class RocketMqStore implements JavaStore {
  private static final String topic = "bench";
  private static final int batch = 1024;
  private static final int followedBatch = 32;
  private static final int mostBytes = 8 << 20;
  /** Of a stored message: magic, checksum, times, hosts and the like stand before its body's length. */
  private static final int bodyLengthAt = 84;
  private static final long longestPauseNs = 100_000_000;

  private final DefaultMessageStore store;
  private final InetSocketAddress host = new InetSocketAddress(InetAddress.getLoopbackAddress(), 10911);
  private volatile Thread following;

  private RocketMqStore(String directory, boolean isDurable) throws Exception {
    MessageStoreConfig config = new MessageStoreConfig();
    config.setStorePathRootDir(directory);
    config.setStorePathCommitLog(directory + "/commitlog");
    config.setHaListenPort(0);
    config.setFlushDiskType(isDurable ? FlushDiskType.SYNC_FLUSH : FlushDiskType.ASYNC_FLUSH);
    config.setTimerWheelEnable(false);
    config.setTransientStorePoolEnable(false);
    config.setMessageIndexEnable(false);
    config.setMaxTransferCountOnMessageInMemory(4 * batch);
    config.setMaxTransferBytesOnMessageInMemory(mostBytes);
    config.setMaxTransferCountOnMessageInDisk(4 * batch);
    config.setMaxTransferBytesOnMessageInDisk(mostBytes);
    BrokerConfig broker = new BrokerConfig();
    broker.setLongPollingEnable(true);
    ConcurrentMap<String, TopicConfig> topics = new ConcurrentHashMap<>();
    topics.put(topic, new TopicConfig(topic, 1, 1));
    MessageArrivingListener wake = (name, queue, offset, tags, time, bits, properties) -> {
      Thread thread = following;
      if (thread != null) LockSupport.unpark(thread);
    };
    store = new DefaultMessageStore(config, new BrokerStatsManager(broker), wake, broker, topics);
    if (!store.load()) throw new Exception("the store does not load");
    store.start();
  }

  public static void main(String[] arguments) throws Exception {
    Course.main(RocketMqStore::new, arguments);
  }

  @Override
  public Appender appender() {
    return (value) -> check(store.asyncPutMessage(message(value)).get());
  }

  @Override
  public boolean appendInFlight(long messages, int inFlight, byte[][] values) throws Exception {
    Semaphore room = new Semaphore(inFlight);
    AtomicReference<PutMessageResult> failure = new AtomicReference<>();
    for (long index = 0; index < messages; index++) {
      room.acquire();
      store.asyncPutMessage(message(values[(int) (index % values.length)])).thenAccept((result) -> {
        if (!result.isOk()) failure.set(result);
        room.release();
      });
    }
    room.acquire(inFlight);
    if (failure.get() != null) check(failure.get());
    return true;
  }

  /** The consume queue comes after the commit log, by a thread of its own. */
  @Override
  public void settle(long messages) throws Exception {
    while (store.getMaxOffsetInQueue(topic, 0) < messages) Thread.sleep(1);
  }

  @Override
  public Reader reader() {
    return new Pull(batch);
  }

  @Override
  public Visitor visitor() {
    long[] offset = {0};
    return (messages) -> {
      long sum = 0;
      for (long end = offset[0] + messages; offset[0] < end; ) {
        GetMessageResult result = store.getMessage("g", topic, 0, offset[0], (int) Math.min(batch, end - offset[0]), null);
        try {
          for (ByteBuffer stored : result.getMessageBufferList()) {
            int at = stored.position() + bodyLengthAt;
            sum += stored.getInt(at);
            Course.sink ^= stored.get(at + 4);
            offset[0]++;
          }
        } finally {
          result.release();
        }
      }
      return sum;
    };
  }

  @Override
  public byte[] get(long index) throws Exception {
    GetMessageResult result = store.getMessage("g", topic, 0, index, 1, null);
    try {
      return bodyOf(result.getMessageBufferList().get(0));
    } finally {
      result.release();
    }
  }

  @Override
  public Reader follower() {
    following = Thread.currentThread();
    return new Pull(followedBatch);
  }

  @Override
  public void pause() {
    LockSupport.parkNanos(longestPauseNs);
  }

  @Override
  public void close() {
    store.shutdown();
  }

  private MessageExtBrokerInner message(byte[] value) {
    MessageExtBrokerInner message = new MessageExtBrokerInner();
    message.setTopic(topic);
    message.setQueueId(0);
    message.setBody(value);
    message.setBornTimestamp(System.currentTimeMillis());
    message.setBornHost(host);
    message.setStoreHost(host);
    MessageAccessor.setProperties(message, new HashMap<>(0));
    message.setPropertiesString("");
    return message;
  }

  private static void check(PutMessageResult result) throws Exception {
    if (!result.isOk()) throw new Exception("put: " + result.getPutMessageStatus());
  }

  private static byte[] bodyOf(ByteBuffer stored) {
    int at = stored.position() + bodyLengthAt;
    byte[] body = new byte[stored.getInt(at)];
    stored.get(at + 4, body);
    return body;
  }

  /** Reads so many at a time, as a broker does for its consumers. */
  private final class Pull implements Reader {
    private final int most;
    private final ArrayDeque<byte[]> pulled = new ArrayDeque<>();
    private long offset;

    Pull(int most) {
      this.most = most;
    }

    @Override
    public byte[] next() {
      byte[] value = pulled.poll();
      return value == null && pull() ? pulled.poll() : value;
    }

    private boolean pull() {
      GetMessageResult result = store.getMessage("g", topic, 0, offset, most, null);
      if (result == null) return false;
      try {
        if (result.getStatus() != GetMessageStatus.FOUND) return false;
        for (ByteBuffer stored : result.getMessageBufferList()) {
          pulled.add(bodyOf(stored));
          offset++;
        }
        return true;
      } finally {
        result.release();
      }
    }
  }
}
