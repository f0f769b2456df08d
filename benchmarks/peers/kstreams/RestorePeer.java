import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;

/**
 * Restores one RocksDB store of Kafka Streams from the changelog of our table, and prints how long it took.
 *
 * <p>Arguments: brokers, application id, store, source topic, state folder, threads, partitions. The changelog is
 * `application id`-`store`-changelog. Everything that is not set below is Kafka Streams' default.
 */
public class RestorePeer {
  static final AtomicLong rows = new AtomicLong(), began = new AtomicLong(), ended = new AtomicLong();

  static class Idle extends ContextualProcessor<byte[], byte[], Void, Void> {
    @Override
    public void process(Record<byte[], byte[]> record) {}
  }

  public static void main(String[] args) throws Exception {
    var settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("application.id", args[1]);
    settings.put("state.dir", args[4]);
    settings.put("num.stream.threads", args[5]);
    settings.put("processing.guarantee", "exactly_once_v2");
    var restored = new CountDownLatch(Integer.parseInt(args[6]));

    var builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(args[2]), Serdes.ByteArray(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of()));
    builder
        .stream(args[3], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .process(Idle::new, args[2]);

    var streams = new KafkaStreams(builder.build(settings), settings);
    streams.setGlobalStateRestoreListener(
        new StateRestoreListener() {
          @Override
          public void onRestoreStart(TopicPartition partition, String store, long from, long to) {
            began.compareAndSet(0, System.nanoTime());
          }

          @Override
          public void onBatchRestored(TopicPartition partition, String store, long end, long count) {}

          @Override
          public void onRestoreEnd(TopicPartition partition, String store, long total) {
            rows.addAndGet(total);
            ended.set(System.nanoTime());
            restored.countDown();
          }
        });
    streams.start();
    restored.await();
    System.out.printf("%d %.3f%n", rows.get(), (ended.get() - began.get()) / 1e9);
    System.out.flush();
    // Else the next run waits until the group has given this member up.
    streams.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(10)));
    Runtime.getRuntime().halt(0);
  }
}
