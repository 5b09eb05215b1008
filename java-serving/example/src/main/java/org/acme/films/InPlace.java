package org.acme.films;

import dev.twinrank.core.ModelStore;
import dev.twinrank.gateway.Gateway;
import dev.twinrank.gateway.GatewayOptions;
import java.nio.file.Path;

/**
 * A door for {@code twinrank verify BUNDLE --gateway FILE}: the model that serves customers is compared with a bundle
 * while it does so. Closed unless an operator opens it, and to be closed again when the verification has run, because
 * whoever can read the file can run any code in this process. Thread-safe.
 */
final class InPlace implements AutoCloseable {
    private final ModelStore store;
    private final String name;
    private Path file;
    private ModelStore.Lease lease;
    private Gateway gateway;

    InPlace(ModelStore store, String name) {
        this.store = store;
        this.name = name;
    }

    /** Opens the door to the version that serves now; the file is written anew, for this process's user alone. */
    synchronized void open(Path connectionFile) {
        close();
        lease = store.acquire(name);
        try {
            gateway = Gateway.open(lease.model(), GatewayOptions.at(connectionFile));
            file = connectionFile;
        } finally {
            if (gateway == null) {
                close();
            }
        }
    }

    /** After a swap: a door that is open leads to the version that serves from now on, and the old one may go. */
    synchronized void follow() {
        if (gateway != null) {
            open(file);
        }
    }

    /** Removes the file, waits for the answer that is being given, and lets go of the version. */
    @Override
    public synchronized void close() {
        if (gateway != null) {
            gateway.close();
            gateway = null;
        }
        if (lease != null) {
            lease.close();
            lease = null;
        }
    }
}
