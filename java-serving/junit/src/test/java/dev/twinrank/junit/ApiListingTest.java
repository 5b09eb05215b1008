package dev.twinrank.junit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The public surface is a file, so that changing it is a line in a review. */
class ApiListingTest {
  private static final Path LISTING = Path.of(System.getProperty("basedir", ""), "api.txt");

  @Test
  void publicSignaturesAreThoseOfTheListing() throws Exception {
    List<String> actual = signatures();
    if (Boolean.getBoolean("twinrank.updateApi")) {
      Files.write(LISTING, actual);
    }
    assertEquals(
        String.join("\n", Files.readAllLines(LISTING)),
        String.join("\n", actual),
        "the public API changed; if that is meant, run the test with -Dtwinrank.updateApi=true");
  }

  private static List<String> signatures() throws Exception {
    TreeSet<String> lines = new TreeSet<>();
    for (Class<?> type : publicTypes()) {
      // Newer JDKs print whether a type is sealed, JDK 17 does not.
      String declared = type.toGenericString().replaceFirst("(non-)?sealed ", "");
      lines.add(type.getName() + " " + declared);
      List<Member> members = new ArrayList<>(List.of(type.getDeclaredMethods()));
      members.addAll(List.of(type.getDeclaredConstructors()));
      members.addAll(List.of(type.getDeclaredFields()));
      for (Member member : members) {
        int exported = Modifier.PUBLIC | Modifier.PROTECTED;
        if ((member.getModifiers() & exported) != 0 && !member.isSynthetic()) {
          String signature =
              member instanceof Executable executable
                  ? executable.toGenericString()
                  : ((Field) member).toGenericString();
          lines.add(type.getName() + " " + signature);
        }
      }
    }
    return List.copyOf(lines);
  }

  private static List<Class<?>> publicTypes()
      throws IOException, URISyntaxException, ClassNotFoundException {
    Path classes =
        Path.of(Answer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    List<Class<?>> types = new ArrayList<>();
    try (Stream<Path> files = Files.list(classes.resolve("dev/twinrank/junit"))) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".class") && !name.equals("package-info.class")) {
          Class<?> type =
              Class.forName("dev.twinrank.junit." + name.substring(0, name.length() - 6));
          if (Modifier.isPublic(type.getModifiers())) {
            types.add(type);
          }
        }
      }
    }
    return types;
  }
}
