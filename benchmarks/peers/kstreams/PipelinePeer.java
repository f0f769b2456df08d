import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The pipeline's state with Kafka Streams: histories by user, co-counts by pair of items, neighbours by item.
 *
 * <pre>
 * events ─► histories ─► pairs (repartitioned by item) ─► co-counts ─► neighbours ─► (all instances: norms)
 * </pre>
 *
 * <p>The same histories and co-counts as the product's; neighbours by cosine. A co-count is a row of its own, since a
 * row of all co-counts of an item would be read and written as a whole for each of the fifty items that an event
 * touches. Changes travel packed, one record for each item partition. Histories used last are kept decoded. Exactly
 * once; what is not set below is Kafka Streams' default.
 */
public class PipelinePeer {
  static final int HISTORY = 2_000, WINDOW = 50, NEIGHBOURS = 100, ITEM_PARTITIONS = 4, DECODED = 500;
  static final int ROWS_A_SECOND = Integer.parseInt(System.getenv().getOrDefault("PEER_ROWS_A_SECOND", "500"));
  static final Map<String, Float> STRENGTH = Map.of("view", 1f, "click", 2f, "cart", 3f, "purchase", 5f);
  static final ObjectMapper JSON = new ObjectMapper();
  /** Users of each item, of all partitions: cosines need them. */
  static final Map<String, Integer> NORMS = new ConcurrentHashMap<>();

  record Event(String user_id, String item_id, String event_type, double timestamp) {}

  /** (k + 1)^−0.75 in 1/1024, k places between. */
  static final int[] DISTANCE = new int[WINDOW];

  static {
    for (int k = 0; k < WINDOW; k++) DISTANCE[k] = (int) Math.rint(1024 * Math.pow(k + 1, -0.75));
  }

  static int partition(String item) {
    return Utils.toPositive(Utils.murmur2(item.getBytes(StandardCharsets.UTF_8))) % ITEM_PARTITIONS;
  }

  /** Bytes that grow. */
  static class Out {
    ByteBuffer bytes = ByteBuffer.allocate(1 << 10);

    ByteBuffer room(int more) {
      if (bytes.remaining() < more) {
        var larger = ByteBuffer.allocate(2 * bytes.capacity() + more);
        bytes = larger.put(bytes.flip());
      }
      return bytes;
    }

    Out put(String text) {
      byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
      room(2 + encoded.length).putShort((short) encoded.length).put(encoded);
      return this;
    }

    Out put(int number) {
      room(4).putInt(number);
      return this;
    }

    byte[] done() {
      byte[] made = new byte[bytes.position()];
      bytes.flip().get(made);
      return made;
    }
  }

  static String text(ByteBuffer in) {
    byte[] encoded = new byte[in.getShort()];
    in.get(encoded);
    return new String(encoded, StandardCharsets.UTF_8);
  }

  /** Item → when it was touched last and how strongly, in the order of first contact. */
  static class History extends LinkedHashMap<String, long[]> {
    static History read(byte[] row) {
      var history = new History();
      if (row == null) return history;
      var in = ByteBuffer.wrap(row);
      while (in.hasRemaining()) history.put(text(in), new long[] {in.getLong(), Float.floatToIntBits(in.getFloat())});
      return history;
    }

    byte[] row() {
      var out = new Out();
      for (var entry : entrySet()) {
        out.put(entry.getKey());
        out.room(12).putLong(entry.getValue()[0]).putFloat(Float.intBitsToFloat((int) entry.getValue()[1]));
      }
      return out.done();
    }
  }

  static class Histories extends ContextualProcessor<String, byte[], Integer, byte[]> {
    KeyValueStore<String, byte[]> store;
    final Map<String, History> decoded =
        new LinkedHashMap<>(16, 0.75f, true) {
          @Override
          protected boolean removeEldestEntry(Map.Entry<String, History> eldest) {
            return size() > DECODED;
          }
        };

    @Override
    public void init(ProcessorContext<Integer, byte[]> context) {
      super.init(context);
      store = context.getStateStore("histories");
    }

    @Override
    public void process(Record<String, byte[]> record) {
      Event event;
      try {
        event = JSON.readValue(record.value(), Event.class);
      } catch (IOException e) {
        return; // a peer without dead letters
      }
      History history = decoded.get(record.key());
      if (history == null) decoded.put(record.key(), history = History.read(store.get(record.key())));
      var changes = new Out[ITEM_PARTITIONS];
      long at = (long) event.timestamp();
      float strength = STRENGTH.get(event.event_type());
      long[] known = history.get(event.item_id());
      int came = 0;
      if (known == null) {
        came = 1;
        var before = new ArrayList<>(history.keySet());
        history.put(event.item_id(), new long[] {at, Float.floatToIntBits(strength)});
        List<String> gone = before.size() == HISTORY ? before.subList(0, 1) : List.of();
        if (!gone.isEmpty()) {
          history.remove(gone.get(0));
          for (int k = 0; k < WINDOW; k++) pair(changes, gone.get(0), before.get(1 + k), -1, -DISTANCE[k]);
          change(changes, gone.get(0)).put(gone.get(0)).put("").put(-1).put(0);
        }
        for (int k = 0, place = before.size() - 1; k < WINDOW && place >= gone.size(); k++, place--) {
          pair(changes, event.item_id(), before.get(place), 1, DISTANCE[k]);
        }
      } else {
        known[0] = Math.max(known[0], at);
        known[1] = Float.floatToIntBits(Math.max(Float.intBitsToFloat((int) known[1]), strength));
      }
      change(changes, event.item_id()).put(event.item_id()).put("").put(came).put(1);
      store.put(record.key(), history.row());
      for (int target = 0; target < ITEM_PARTITIONS; target++) {
        if (changes[target] != null) {
          context().forward(new Record<>(target, changes[target].done(), record.timestamp()));
        }
      }
    }

    static Out change(Out[] changes, String item) {
      int target = partition(item);
      if (changes[target] == null) changes[target] = new Out();
      return changes[target];
    }

    static void pair(Out[] changes, String a, String b, int g, int c) {
      change(changes, a).put(a).put(b).put(g).put(c);
      change(changes, b).put(b).put(a).put(g).put(c);
    }
  }

  /** Co-counts, one row for each pair; an item's own row has its users and events. */
  static class CoCounts extends ContextualProcessor<Integer, byte[], String, byte[]> {
    KeyValueStore<String, byte[]> store;
    final Set<String> dirty = new HashSet<>();

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      super.init(context);
      store = context.getStateStore("co-counts");
      context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, this::publish);
    }

    @Override
    public void process(Record<Integer, byte[]> record) {
      var in = ByteBuffer.wrap(record.value());
      while (in.hasRemaining()) {
        String row = text(in), col = text(in);
        add(row + "\0" + col, in.getInt(), in.getInt());
        dirty.add(row);
      }
    }

    void add(String key, int g, int c) {
      byte[] old = store.get(key);
      var known = old == null ? null : ByteBuffer.wrap(old);
      int sumG = g + (old == null ? 0 : known.getInt()), sumC = c + (old == null ? 0 : known.getInt());
      boolean nothing = sumG == 0 && sumC == 0;
      store.put(key, nothing ? null : ByteBuffer.allocate(8).putInt(sumG).putInt(sumC).array());
    }

    record Near(String item, int g, int c, double cosine) {}

    void publish(long now) {
      int allowed = ROWS_A_SECOND / ITEM_PARTITIONS;
      for (Iterator<String> rows = dirty.iterator(); rows.hasNext() && allowed > 0; allowed--) {
        String row = rows.next();
        rows.remove();
        context().forward(new Record<>(row, neighbours(row), now));
      }
    }

    byte[] neighbours(String row) {
      var best = new PriorityQueue<Near>((a, b) -> Double.compare(a.cosine(), b.cosine()));
      int users = 0;
      try (KeyValueIterator<String, byte[]> found = store.range(row + "\0", row + "\1")) {
        while (found.hasNext()) {
          var entry = found.next();
          var in = ByteBuffer.wrap(entry.value);
          String col = entry.key.substring(row.length() + 1);
          int g = in.getInt(), c = in.getInt();
          if (col.isEmpty()) {
            users = g;
            continue;
          }
          double cosine = g / Math.sqrt((double) Math.max(users, 1) * Math.max(NORMS.getOrDefault(col, 1), 1));
          if (best.size() < NEIGHBOURS) best.add(new Near(col, g, c, cosine));
          else if (best.peek().cosine() < cosine) {
            best.poll();
            best.add(new Near(col, g, c, cosine));
          }
        }
      }
      var out = new Out().put(users);
      for (Near near : best) {
        out.put(near.item()).put(near.g()).put(near.c()).put(Float.floatToIntBits((float) near.cosine()));
      }
      return out.done();
    }
  }

  /** Every instance follows all neighbours. */
  static class Norms implements Processor<String, byte[], Void, Void> {
    @Override
    public void process(Record<String, byte[]> record) {
      NORMS.put(record.key(), ByteBuffer.wrap(record.value()).getInt());
    }
  }

  static StoreBuilder<KeyValueStore<String, byte[]>> store(String name) {
    return Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), Serdes.ByteArray())
        .withCachingEnabled()
        .withLoggingEnabled(Map.of());
  }

  public static void main(String[] args) throws Exception {
    var settings = new Properties();
    settings.put("application.id", System.getenv("PEER_GROUP"));
    settings.put("bootstrap.servers", System.getenv("PEER_BROKER"));
    settings.put("state.dir", System.getenv("PEER_DIR"));
    settings.put("processing.guarantee", "exactly_once_v2");
    settings.put("num.stream.threads", 2);
    settings.put("replication.factor", 1);
    settings.put("auto.offset.reset", "earliest");
    settings.put("statestore.cache.max.bytes", 256L << 20);
    settings.put("producer.compression.type", "lz4");

    String neighbours = System.getenv("PEER_NEIGHBOURS");
    var builder = new StreamsBuilder();
    builder.addStateStore(store("histories")).addStateStore(store("co-counts"));
    builder.addGlobalStore(
        Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore("norms"), Serdes.String(), Serdes.ByteArray())
            .withLoggingDisabled(),
        neighbours,
        Consumed.with(Serdes.String(), Serdes.ByteArray()),
        Norms::new);
    builder.stream(System.getenv("PEER_IN"), Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .process(Histories::new, "histories")
        .repartition(
            Repartitioned.with(Serdes.Integer(), Serdes.ByteArray())
                .withName("pairs")
                .withNumberOfPartitions(ITEM_PARTITIONS)
                .withStreamPartitioner((topic, target, value, count) -> Optional.of(Set.of(target))))
        .process(CoCounts::new, "co-counts")
        .to(neighbours, Produced.with(Serdes.String(), Serdes.ByteArray()));

    var streams = new KafkaStreams(builder.build(settings), settings);
    var done = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(done::countDown));
    streams.start();
    done.await();
    streams.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(10)));
    Runtime.getRuntime().halt(0);
  }
}
