package org.acme.films;

import dev.twinrank.core.Cancellation;
import dev.twinrank.core.Handle;
import dev.twinrank.core.Model;
import dev.twinrank.core.ModelStore;
import dev.twinrank.core.Ranking;
import dev.twinrank.core.Schema;
import dev.twinrank.core.Slate;
import java.util.Arrays;
import java.util.Map;

/** Turns a form into a slate, and a ranking into JSON. Thread-safe. */
final class Ranker {
    private final ModelStore store;
    private final String name;

    // Step 3 of the recipe: handles are looked up once. They work for every version that has these features, and a
    // version that lacks one is never activated.
    private final Handle.OfLong user;
    private final Handle.OfLong age;
    private final Handle.OfString gender;
    private final Handle.OfString occupation;
    private final Handle.OfStrings historyItem;
    private final Handle.OfLongs historyTime;
    private final Handle.OfLong requestTime;
    private final Handle.OfString item;
    private final Handle.OfLong year;
    private final Handle.OfStrings genres;
    private final Handle.OfLong popularity;
    private final Handle.OfLong popularity30d;
    private final Handle.OfLong popularity7d;

    Ranker(ModelStore store, String name) {
        this.store = store;
        this.name = name;
        try (ModelStore.Lease lease = store.acquire(name)) {
            Schema schema = lease.model().schema();
            user = schema.integer("user_id");
            age = schema.integer("age");
            gender = schema.string("gender");
            occupation = schema.string("occupation");
            historyItem = schema.strings("history_item");
            historyTime = schema.integers("history_time");
            requestTime = schema.integer("request_time");
            item = schema.string("item_id");
            year = schema.integer("year");
            genres = schema.strings("genres");
            popularity = schema.integer("popularity");
            popularity30d = schema.integer("popularity_30d");
            popularity7d = schema.integer("popularity_7d");
        }
    }

    /** Answers one request. The lease keeps the version that it began with, whatever an operator does meanwhile. */
    String rank(Map<String, String> form, Items items, Cancellation deadline) {
        int[] rows = items.rows(list(form.get("items")));
        int k = form.containsKey("k") ? Integer.parseInt(form.get("k")) : rows.length;
        try (ModelStore.Lease lease = store.acquire(name);
                Slate slate = lease.model().slate(rows.length)) {
            context(slate, form);
            candidates(slate, items, rows);
            return json(lease, items, rows, lease.model().rank(slate, k, deadline));
        }
    }

    // What is not in the form is not set, and the model's policy says what that means: a default, a row of its own in an
    // embedding, or a ScoringException that names the feature.
    private void context(Slate slate, Map<String, String> form) {
        if (form.containsKey("user")) {
            slate.set(user, Long.parseLong(form.get("user")));
        }
        if (form.containsKey("age")) {
            slate.set(age, Long.parseLong(form.get("age")));
        }
        slate.set(gender, form.get("gender"));
        slate.set(occupation, form.get("occupation"));
        slate.set(historyItem, list(form.get("seen")));
        slate.set(historyTime, Arrays.stream(list(form.get("seen_at"))).mapToLong(Long::parseLong).toArray());
        if (form.containsKey("time")) {
            slate.set(requestTime, Long.parseLong(form.get("time")));
        }
    }

    // Columns where every film has a value, keys instead of strings; single values where one may be missing.
    private void candidates(Slate slate, Items items, int[] rows) {
        slate.keys(item, items.keys(rows));
        slate.column(popularity, items.popularity(rows));
        slate.column(popularity30d, items.popularity30d(rows));
        slate.column(popularity7d, items.popularity7d(rows));
        for (int i = 0; i < rows.length; i++) {
            if (items.hasYear(rows[i])) {
                slate.set(i, year, items.year(rows[i]));
            }
            slate.setKeys(i, genres, items.genres(rows[i]));
        }
    }

    private String json(ModelStore.Lease lease, Items items, int[] rows, Ranking ranking) {
        Model model = lease.model();
        StringBuilder out = new StringBuilder(64 + 48 * ranking.size());
        out.append("{\"model\": ").append(Json.string(name)).append(", \"version\": ").append(lease.version());
        out.append(", \"digest\": \"").append(model.digest()).append("\", \"films\": [");
        for (int place = 0; place < ranking.size(); place++) {
            int candidate = ranking.index(place);
            out.append(place == 0 ? "" : ", ").append("{\"item\": ").append(Json.string(items.id(rows[candidate])));
            out.append(", \"score\": ").append(Json.number(ranking.score(place)));
            for (int head = 0; head < model.heads().size(); head++) {
                out.append(", ").append(Json.string(model.heads().get(head).name())).append(": ");
                out.append(Json.number(ranking.scores().value(head, candidate)));
            }
            out.append('}');
        }
        return out.append("]}\n").toString();
    }

    private static String[] list(String field) {
        return field == null || field.isEmpty() ? new String[0] : field.split(",");
    }
}
