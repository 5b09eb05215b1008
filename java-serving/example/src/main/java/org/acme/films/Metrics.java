package org.acme.films;

import dev.twinrank.core.ModelStore;
import dev.twinrank.core.ScoringListener;
import dev.twinrank.core.Statistics;
import java.util.NoSuchElementException;
import java.util.concurrent.atomic.LongAdder;

/** What a scraper wants to know, as Prometheus text. The library counts; here it is only written down. Thread-safe. */
final class Metrics implements ScoringListener {
    private final LongAdder packed = new LongAdder();
    private final LongAdder ran = new LongAdder();
    private final LongAdder ordered = new LongAdder();

    /** Called on the thread of every request: it must be quick. */
    @Override
    public void onRequest(Event event) {
        packed.add(Math.max(0, event.keysNanos()) + Math.max(0, event.packNanos()));
        ran.add(Math.max(0, event.runNanos()));
        ordered.add(Math.max(0, event.orderNanos()));
    }

    String text(ModelStore store) {
        StringBuilder out = new StringBuilder();
        seconds(out, "pack", packed);
        seconds(out, "run", ran);
        seconds(out, "order", ordered);
        for (ModelStore.Entry entry : store.entries()) {
            String labels = "version=\"" + entry.version() + "\"";
            line(out, "films_model_active", labels, entry.state() == ModelStore.State.ACTIVE ? 1 : 0);
            try (ModelStore.Lease lease = store.acquire(entry.name(), entry.version())) {
                counts(out, labels, lease.model().statistics());
            } catch (NoSuchElementException e) {
                continue; // unloaded since the entries were listed
            }
        }
        return out.toString();
    }

    private static void counts(StringBuilder out, String labels, Statistics counted) {
        line(out, "films_requests_total", labels, counted.requests());
        line(out, "films_candidates_total", labels, counted.candidates());
        counted.refusals().forEach((code, count) ->
                line(out, "films_refused_total", labels + ",code=\"" + code.code() + "\"", count));
        for (Statistics.FeatureCounts each : counted.features()) {
            String of = labels + ",feature=\"" + each.feature().name() + "\"";
            line(out, "films_feature_missing_total", of, each.missing());
            line(out, "films_feature_invalid_total", of, each.invalid());
        }
        for (Statistics.OutputCounts each : counted.outputs()) {
            line(out, "films_nan_total", labels + ",output=\"" + each.output().name() + "\"", each.nan());
        }
    }

    private static void seconds(StringBuilder out, String stage, LongAdder nanos) {
        out.append("films_stage_seconds_total{stage=\"").append(stage).append("\"} ");
        out.append(nanos.sum() / 1e9).append('\n');
    }

    private static void line(StringBuilder out, String name, String labels, long value) {
        out.append(name).append('{').append(labels).append("} ").append(value).append('\n');
    }
}
