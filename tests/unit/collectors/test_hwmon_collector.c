/* Sensor chips of a fake host: names, units, sensors of old drivers, chips that share a device. */
#include "fake_root.h"

static void names_and_units(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "hwmon");
    fake_root_write(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/name", "coretemp\n");
    fake_root_write(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input", "55000\n");
    fake_root_write(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit_alarm", "0\n");
    fake_root_write(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_label", "Core 0\n");
    fake_root_write(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_type", "4\n");
    fake_root_write(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/uevent", "\n");
    fake_root_link(&f, "sys/devices/platform/coretemp.0/hwmon/hwmon0/device", "../..");
    fake_root_link(&f, "sys/class/hwmon/hwmon0", "../../devices/platform/coretemp.0/hwmon/hwmon0");
    fake_root_write(&f, "sys/class/hwmon/hwmon1/name", "Board Chip\n");
    static const struct {
        const char *file;
        const char *text;
    } files[] = {{"in0_input", "1024\n"}, {"in0_alarm", "1\n"}, {"in0_beep", "0\n"},
        {"cpu0_vid", "1200\n"}, {"fan2_input", "1098\n"}, {"fan2_pulses", "2\n"},
        {"fan2_fault", "0\n"}, {"curr1_max", "2500\n"}, {"power1_average", "42000000\n"},
        {"power1_accuracy", "5000\n"}, {"power1_average_interval", "1000\n"},
        {"energy1_input", "7000000\n"}, {"humidity1_input", "450000\n"}, {"pwm1", "128\n"},
        {"pwm1_enable", "1\n"}, {"freq1_input", "214000000\n"}, {"freq1_label", "sclk\n"},
        {"freq2_input", "1\n"}, {"vrm", "9.1\n"}, {"beep_enable", "1\n"},
        {"update_interval", "1500\n"}, {"temp9_input", "broken\n"}};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "sys/class/hwmon/hwmon1/%s", files[i].file);
        fake_root_write(&f, path, files[i].text);
    }
    static const char *const expected =
        "node_hwmon_beep_enabled{chip=\"board_chip\",sensor=\"beep_enable0\"} 1\n"
        "node_hwmon_chip_names{chip=\"board_chip\",chip_name=\"board_chip\"} 1\n"
        "node_hwmon_chip_names{chip=\"platform_coretemp_0\",chip_name=\"coretemp\"} 1\n"
        "node_hwmon_cpu_vid_volts{chip=\"board_chip\",sensor=\"cpu0\"} 1.2\n"
        "node_hwmon_curr_max_amps{chip=\"board_chip\",sensor=\"curr1\"} 2.5\n"
        "node_hwmon_energy_joule_total{chip=\"board_chip\",sensor=\"energy1\"} 7\n"
        "node_hwmon_fan_fault{chip=\"board_chip\",sensor=\"fan2\"} 0\n"
        "node_hwmon_fan_pulses{chip=\"board_chip\",sensor=\"fan2\"} 2\n"
        "node_hwmon_fan_rpm{chip=\"board_chip\",sensor=\"fan2\"} 1098\n"
        "node_hwmon_freq_freq_mhz{chip=\"board_chip\",sensor=\"sclk\"} 214\n"
        "node_hwmon_humidity{chip=\"board_chip\",sensor=\"humidity1\"} 0.45\n"
        "node_hwmon_in_alarm{chip=\"board_chip\",sensor=\"in0\"} 1\n"
        "node_hwmon_in_beep_enabled{chip=\"board_chip\",sensor=\"in0\"} 0\n"
        "node_hwmon_in_volts{chip=\"board_chip\",sensor=\"in0\"} 1.024\n"
        "node_hwmon_power_accuracy{chip=\"board_chip\",sensor=\"power1\"} 0.005\n"
        "node_hwmon_power_average_interval_seconds{chip=\"board_chip\",sensor=\"power1\"} 1\n"
        "node_hwmon_power_average_watt{chip=\"board_chip\",sensor=\"power1\"} 42\n"
        "node_hwmon_pwm{chip=\"board_chip\",sensor=\"pwm1\"} 128\n"
        "node_hwmon_pwm_enable{chip=\"board_chip\",sensor=\"pwm1\"} 1\n"
        "node_hwmon_sensor_label{chip=\"board_chip\",label=\"sclk\",sensor=\"freq1\"} 1\n"
        "node_hwmon_sensor_label{chip=\"platform_coretemp_0\",label=\"Core 0\",sensor=\"temp1\"} "
        "1\n"
        "node_hwmon_temp_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 55\n"
        "node_hwmon_temp_crit_alarm_celsius{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 0\n"
        "node_hwmon_temp_type{chip=\"platform_coretemp_0\",sensor=\"temp1\"} 4\n"
        "node_hwmon_update_interval_seconds{chip=\"board_chip\",sensor=\"update_interval0\"} 1.5\n"
        "node_hwmon_voltage_regulator_version{chip=\"board_chip\",sensor=\"vrm0\"} 9.1\n";
    fake_root_expect(&f, 0, expected);
    fake_root_expect(&f, 0, expected);
    // Between walks the numbers are read anew.
    fake_root_write(&f, "sys/class/hwmon/hwmon1/fan2_input", "900\n");
    assert_int_equal(fake_root_run(&f), 0);
    assert_non_null(
        strstr(f.text.data, "node_hwmon_fan_rpm{chip=\"board_chip\",sensor=\"fan2\"} 900\n"));
    fake_root_release(&f);
}

static void chips_of_one_device_are_told_apart(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "hwmon");
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"asus\n", "sensors\n", "twin\n", "twin\n"};
        char path[128], target[128];
        (void)snprintf(path, sizeof(path), "sys/devices/platform/wmi/hwmon/hwmon%d/name", i);
        fake_root_write(&f, path, names[i]);
        (void)snprintf(path, sizeof(path), "sys/devices/platform/wmi/hwmon/hwmon%d/fan1_input", i);
        fake_root_write(&f, path, "1000\n");
        (void)snprintf(path, sizeof(path), "sys/devices/platform/wmi/hwmon/hwmon%d/device", i);
        fake_root_link(&f, path, "../..");
        (void)snprintf(path, sizeof(path), "sys/class/hwmon/hwmon%d", i);
        (void)snprintf(target, sizeof(target), "../../devices/platform/wmi/hwmon/hwmon%d", i);
        fake_root_link(&f, path, target);
    }
    assert_int_equal(fake_root_run(&f), 0);
    assert_non_null(strstr(f.text.data,
        "node_hwmon_fan_rpm{chip=\"platform_wmi_asus\",sensor=\"fan1\"} 1000\n"
        "node_hwmon_fan_rpm{chip=\"platform_wmi_hwmon2\",sensor=\"fan1\"} 1000\n"
        "node_hwmon_fan_rpm{chip=\"platform_wmi_hwmon3\",sensor=\"fan1\"} 1000\n"
        "node_hwmon_fan_rpm{chip=\"platform_wmi_sensors\",sensor=\"fan1\"} 1000\n"));
    fake_root_release(&f);
}

static void a_chip_that_left_is_found_missing(void **state)
{
    (void)state;
    struct fake_root f;
    fake_root_init(&f, "hwmon");
    assert_int_equal(fake_root_run(&f), ERR_NOT_FOUND);
    fake_root_release(&f);
    fake_root_init(&f, "hwmon");
    fake_root_write(&f, "sys/class/hwmon/hwmon0/temp1_input", "1000\n");
    fake_root_expect(&f, 0, "node_hwmon_temp_celsius{chip=\"hwmon0\",sensor=\"temp1\"} 1\n");
    fake_root_write(&f, "sys/class/hwmon/hwmon7/temp1_input", "2000\n");
    for (int pass = 0; pass < 12; pass++) {
        assert_int_equal(fake_root_run(&f), 0);
    }
    assert_string_equal(f.text.data,
        "node_hwmon_temp_celsius{chip=\"hwmon0\",sensor=\"temp1\"} 1\n"
        "node_hwmon_temp_celsius{chip=\"hwmon7\",sensor=\"temp1\"} 2\n");
    fake_root_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_units),
        cmocka_unit_test(chips_of_one_device_are_told_apart),
        cmocka_unit_test(a_chip_that_left_is_found_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
