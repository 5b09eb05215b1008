package org.acme.films;

import dev.twinrank.core.Keys;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * The films of the shop, column by column, with their strings as keys already: what is the same for every request is
 * computed once, when the table is read. Immutable, so that one request sees one table.
 */
final class Items {
    static final String HEADER = "item\tyear\tgenres\tpopularity\tpopularity_30d\tpopularity_7d";

    private final Map<String, Integer> rows = new HashMap<>();
    private final String[] ids;
    private final long[] keys;
    private final long[] years;
    private final BitSet dated = new BitSet(); // every long is a year, so none of them can say that there is none
    private final long[][] genres;
    private final long[] popularity;
    private final long[] popularity30d;
    private final long[] popularity7d;

    /** Reads a table: a line a film, fields separated by tabs, genres by bars; no year and no genre are empty. */
    Items(List<String> lines) {
        if (lines.isEmpty() || !lines.get(0).equals(HEADER)) {
            throw new IllegalArgumentException("the first line must be: " + HEADER.replace('\t', ' '));
        }
        int size = lines.size() - 1;
        ids = new String[size];
        keys = new long[size];
        years = new long[size];
        genres = new long[size][];
        popularity = new long[size];
        popularity30d = new long[size];
        popularity7d = new long[size];
        for (int row = 0; row < size; row++) {
            String[] fields = lines.get(row + 1).split("\t", -1);
            if (fields.length != 6 || rows.put(fields[0], row) != null) {
                throw new IllegalArgumentException("line " + (row + 2) + " has no 6 fields, or a film again");
            }
            ids[row] = fields[0];
            if (!fields[1].isEmpty()) {
                years[row] = Long.parseLong(fields[1]);
                dated.set(row);
            }
            String[] names = fields[2].isEmpty() ? new String[0] : fields[2].split("\\|");
            genres[row] = new long[names.length];
            Keys.of(names, genres[row]);
            popularity[row] = Long.parseLong(fields[3]);
            popularity30d[row] = Long.parseLong(fields[4]);
            popularity7d[row] = Long.parseLong(fields[5]);
        }
        Keys.of(ids, keys);
    }

    /** Returns the rows of some films, in their order. */
    int[] rows(String[] wanted) {
        int[] found = new int[wanted.length];
        for (int i = 0; i < found.length; i++) {
            Integer row = rows.get(wanted[i]);
            if (row == null) {
                throw new NoSuchElementException("no film " + wanted[i]);
            }
            found[i] = row;
        }
        return found;
    }

    String id(int row) {
        return ids[row];
    }

    long[] keys(int[] of) {
        return gather(keys, of);
    }

    long[] popularity(int[] of) {
        return gather(popularity, of);
    }

    long[] popularity30d(int[] of) {
        return gather(popularity30d, of);
    }

    long[] popularity7d(int[] of) {
        return gather(popularity7d, of);
    }

    boolean hasYear(int row) {
        return dated.get(row);
    }

    long year(int row) {
        return years[row];
    }

    long[] genres(int row) {
        return genres[row];
    }

    private static long[] gather(long[] column, int[] of) {
        long[] gathered = new long[of.length];
        for (int i = 0; i < of.length; i++) {
            gathered[i] = column[of[i]];
        }
        return gathered;
    }
}
