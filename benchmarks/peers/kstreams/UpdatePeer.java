import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The benchmark `update` with Kafka Streams: a RocksDB store with cache and changelog, Jackson, one thread.
 *
 * <p>Argument: at_least_once or exactly_once_v2. Where to read and write comes from the variables `PEER_*`. Everything
 * that is not set below is Kafka Streams' default. It ends after `PEER_EVENTS` events, which commits what is left.
 */
public class UpdatePeer {
  static final Map<String, Double> WEIGHT = Map.of("view", 1.0, "click", 2.0, "cart", 3.0, "purchase", 5.0);
  static final int MAX_ITEMS = 200, CATEGORIES = 50;
  static final double KEPT = 0.9;
  static final String STORE = "profiles";
  static final ObjectMapper JSON = new ObjectMapper();
  static final AtomicLong left = new AtomicLong(Long.parseLong(System.getenv("PEER_EVENTS")));
  static final CountDownLatch done = new CountDownLatch(1);

  record Event(String user_id, String item_id, String event_type, double timestamp) {}

  record Answer(String user_id, int n_items, int top_category) {}

  static class Profile {
    public LinkedHashMap<String, Double> items = new LinkedHashMap<>();
    public double[] vector = new double[CATEGORIES];

    Answer update(Event event) {
      double weight = WEIGHT.get(event.event_type());
      items.merge(event.item_id(), weight, Double::sum);
      if (items.size() > MAX_ITEMS) {
        items.remove(Collections.min(items.entrySet(), Map.Entry.comparingByValue()).getKey());
      }
      for (int i = 0; i < CATEGORIES; i++) vector[i] *= KEPT;
      vector[Integer.parseInt(event.item_id().substring(1)) % CATEGORIES] += (1 - KEPT) * weight;
      int top = 0;
      for (int i = 1; i < CATEGORIES; i++) if (vector[i] > vector[top]) top = i;
      return new Answer(event.user_id(), items.size(), top);
    }
  }

  static class Update extends ContextualFixedKeyProcessor<String, Event, Answer> {
    KeyValueStore<String, Profile> store;

    @Override
    public void init(FixedKeyProcessorContext<String, Answer> context) {
      super.init(context);
      store = context.getStateStore(STORE);
    }

    @Override
    public void process(FixedKeyRecord<String, Event> record) {
      Profile profile = store.get(record.key());
      if (profile == null) profile = new Profile();
      Answer answer = profile.update(record.value());
      store.put(record.key(), profile);
      context().forward(record.withValue(answer));
      if (left.decrementAndGet() == 0) done.countDown();
    }
  }

  static <T> Serde<T> json(Class<T> type) {
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : JSON.writeValueAsBytes(value);
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : JSON.readValue(bytes, type);
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  public static void main(String[] args) throws Exception {
    var settings = new Properties();
    settings.put("application.id", System.getenv("PEER_GROUP"));
    settings.put("bootstrap.servers", System.getenv("PEER_BROKER"));
    settings.put("state.dir", System.getenv("PEER_DIR"));
    settings.put("processing.guarantee", args[0]);
    settings.put("num.stream.threads", 1);
    settings.put("replication.factor", 1);
    settings.put("auto.offset.reset", "earliest");

    var builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), json(Profile.class))
            .withCachingEnabled()
            .withLoggingEnabled(Map.of()));
    builder.stream(System.getenv("PEER_IN"), Consumed.with(Serdes.String(), json(Event.class)))
        .processValues(Update::new, STORE)
        .to(System.getenv("PEER_OUT"), Produced.with(Serdes.String(), json(Answer.class)));

    var streams = new KafkaStreams(builder.build(settings), settings);
    Runtime.getRuntime().addShutdownHook(new Thread(done::countDown));
    streams.start();
    done.await();
    streams.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(60)));
    Runtime.getRuntime().halt(0);
  }
}
